#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

const std::vector<Refusal> refused_failures = {
    {"a key that is none",
     "[routing]",
     "[failures]\ngpu_mtbf = 5\n[routing]",
     {},
     false,
     "s.toml:15:1: error: unknown key \"gpu_mtbf\" in [failures]\n"
     "  gpu_mtbf = 5\n"
     "  ^\n"
     "  hint: did you mean \"gpu_mtbf_hours\"?"},
    {"a way to write that is none",
     "[routing]",
     "[failures]\ncheckpoint = \"async\"\n[routing]",
     {},
     false,
     "s.toml:15:14: error: \"async\" is not one of blocking, asynchronous\n"
     "  checkpoint = \"async\"\n"
     "               ^\n"
     "  hint: did you mean \"asynchronous\"?"},
    {"an interval of nothing",
     "[routing]",
     "[failures]\ncheckpoint_interval_minutes = 0\n[routing]",
     {},
     false,
     "s.toml:15:31: error: checkpoint_interval_minutes must be between 0.01 and 1000000, not 0\n"
     "  checkpoint_interval_minutes = 0\n"
     "                                ^"},
};

} // namespace

TEST_CASE("a scenario without [failures] has the defaults") {
  const FailureSpec spec = read_text(scenario).failures;
  CHECK(spec.fleet == "llama-3");
  CHECK(spec.checkpoint == CheckpointWrite::blocking);
  CHECK_FALSE(spec.interval);
  CHECK_FALSE(spec.spare_hosts);
  CHECK(spec.detection.value == 600.0);
  CHECK(spec.restart.value == 300.0);
  CHECK(spec.repair.value == 24.0 * 3600.0);
}

TEST_CASE("the keys of [failures] and the tokens to train reach the scenario") {
  const Scenario read = read_text(
      with(scenario, "[routing]",
           "[failures]\nfleet = \"rsc-1\"\nnic_mtbf_hours = 2\nstorage_gbyte_per_s = 3\n"
           "checkpoint = \"asynchronous\"\ncheckpoint_interval_minutes = 4\ndetection_minutes = 5\n"
           "restart_minutes = 6\nrepair_hours = 7\nspare_hosts = 8\nnic_failure = \"go-on\"\n"
           "[routing]"),
      {"training.tokens=1e12"});
  const FailureSpec& spec = read.failures;
  CHECK(read.tokens == 1e12);
  CHECK(spec.fleet == "rsc-1");
  CHECK(spec.mtbf[index(FailingPart::nic)] == Seconds{7200.0});
  CHECK_FALSE(spec.mtbf[index(FailingPart::gpu)]);
  CHECK(spec.storage == gbyte_per_s(3.0));
  CHECK(spec.checkpoint == CheckpointWrite::asynchronous);
  CHECK(spec.interval == Seconds{240.0});
  CHECK(spec.detection.value == 300.0);
  CHECK(spec.restart.value == 360.0);
  CHECK(spec.repair.value == 7.0 * 3600.0);
  CHECK(spec.spare_hosts == 8);
  CHECK(spec.nic_failure == NicFailure::go_on);
}

TEST_CASE("what is wrong in [failures] is shown at its place") {
  check(refused_failures);
}
