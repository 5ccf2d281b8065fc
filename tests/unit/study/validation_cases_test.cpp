#include "sim/study/validation_cases.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;

namespace {

constexpr const char* header =
    "case,tier,scenario,settings,quantity,measured,tolerance_percent,source\n";

/// A folder with the collective `a.toml`, on which rows of cases can build.
class Cases {
public:
  Cases() {
    folder_.write("a.toml", fmt::format("[collective]\nname = \"all-to-all\"\nbytes = 1048576\n"
                                        "[cluster]\ntopology = \"{}/topologies/nvlink-only.toml\"\n"
                                        "gpus = 8\n",
                                        MOESIM_SOURCE_DIR));
  }
  const TemporaryFolder& folder() const { return folder_; }
  ValidationSet read(const std::string& rows) const {
    return read_validation(folder_.write("cases.csv", header + rows));
  }
  /// The message with which `rows` are refused.
  std::string refusal(const std::string& rows) const {
    try {
      read(rows);
    } catch (const InputError& error) {
      return error.what();
    }
    return "nothing was refused";
  }

private:
  TemporaryFolder folder_;
};

} // namespace

TEST_CASE("a case reads its scenario with its settings laid over it") {
  const Cases cases;
  const ValidationSet set =
      cases.read("a,t,a.toml,collective.bytes=4096  cluster.gpus=4,time_us,12.5,35,paper\n");
  REQUIRE(set.cases.size() == 1);
  const ValidationCase& found = set.cases.front();
  CHECK(found.name == "a");
  CHECK(found.tier == "t");
  CHECK(found.quantity == "time_us");
  CHECK(found.measured == 12.5);
  CHECK(found.tolerance_percent == 35.0);
  CHECK(found.source == "paper");
  const auto& collective = std::get<CollectiveScenario>(found.scenario);
  CHECK(collective.sizes.front().value == 4096);
  CHECK(collective.plan.gpus == 4);
  CHECK(set.tiers.empty());
}

TEST_CASE("a case may be a training step, without the column of settings") {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "cases.csv", fmt::format("case,tier,scenario,quantity,measured,tolerance_percent,source\n"
                               "a,t,{}/workloads/mixtral-8x7b/scenario.toml,step_time_ms,1,5,s\n",
                               MOESIM_SOURCE_DIR));
  const ValidationSet set = read_validation(path);
  CHECK(std::get<Scenario>(set.cases.front().scenario).workload.plan.gpus > 0);
}

TEST_CASE("a scenario that cannot run is a case with its reason") {
  const Cases cases;
  const ValidationSet set = cases.read("a,t,a.toml,cluster.gpus=100000,time_us,1,5,s\n");
  CHECK(std::holds_alternative<std::monostate>(set.cases.front().scenario));
  CHECK(set.cases.front().failure.status == "illegal");
  CHECK_THAT(set.cases.front().failure.reason, Catch::Contains("100000 GPUs are more than"));
}

TEST_CASE("an unreadable case has the place of what is wrong, and the others are read") {
  const Cases cases;
  cases.folder().write("broken.toml", "[collective\n");
  const auto refused = [&](const std::string& row, const std::string& text) {
    const ValidationSet set = cases.read(row + "good,t,a.toml,,time_us,1,5,s\n");
    REQUIRE(set.cases.size() == 2);
    CHECK(set.cases[0].failure.status == "unreadable");
    CHECK(std::holds_alternative<std::monostate>(set.cases[0].scenario));
    CHECK_THAT(set.cases[0].failure.reason,
               Catch::Contains("cases.csv:2:") && Catch::Contains(text));
    CHECK(std::holds_alternative<CollectiveScenario>(set.cases[1].scenario));
  };
  refused("a,t,a.toml,,time,1,5,s\n", "is nothing that a collective gives");
  refused("a,t,a.toml,,step_time_ms,1,5,s\n", "time_us, algbw_gbyte_per_s");
  refused("a,t,a.toml,,time_us,0,5,s\n", "is not above zero");
  refused("a,t,a.toml,,time_us,1,wide,s\n", "is not a number");
  refused("a,t,a.toml,,time_us,1,5,\n", "source must not be empty");
  refused("a,,a.toml,,time_us,1,5,s\n", "tier must not be empty");
  refused("a,t,b.toml,,time_us,1,5,s\n", "b.toml");
  refused("a,t,a.toml,cluster.gpu=8,time_us,1,5,s\n", "did you mean \"gpus\"?");
  refused("a,t,a.toml,cluster.gpus,time_us,1,5,s\n", "expected KEY=VALUE");
  refused("\"a\",t,a.toml,\"collective.bytes=[1,2]\",time_us,1,5,s\n", "one size, not 2");
  refused("a,t,broken.toml,,time_us,1,5,s\n", "not TOML");
  CHECK_THAT(cases.refusal("a,t,a.toml\n"), Catch::Contains("3 cells where the header has 8"));
  CHECK_THAT(cases.refusal("a,t,a.toml,,time_us,1,5,s\na,t,a.toml,,time_us,1,5,s\n"),
             Catch::Contains("cases.csv:3:1") && Catch::Contains("appears twice"));
  CHECK_THAT(cases.refusal(""), Catch::Contains("has no case"));
}

TEST_CASE("a scenario must be a step or a collective") {
  const Cases cases;
  cases.folder().write("c.toml", "[cluster]\ngpus = 8\n");
  CHECK_THAT(cases.read("a,t,c.toml,,time_us,1,5,s\n").cases.front().failure.reason,
             Catch::Contains("cases.csv:2:5") &&
                 Catch::Contains("neither [model] nor [collective]"));
}

TEST_CASE("cases of a comparison agree in all but their plan") {
  const TemporaryFolder folder;
  const std::string scenario = MOESIM_SOURCE_DIR "/workloads/mixtral-8x7b/scenario.toml";
  const auto read = [&](const std::string& settings, const std::string& quantity) {
    return read_validation(folder.write(
        "cases.csv",
        fmt::format(
            "case,tier,comparison,scenario,settings,quantity,measured,tolerance_percent,source\n"
            "a,t,mine,{0},,tokens_per_s_per_gpu,1,5,s\n"
            "b,t,,{0},cluster.gpus=64,tokens_per_s_per_gpu,1,5,s\n"
            "c,t,mine,{0},{1},{2},1,5,s\n",
            scenario, settings, quantity)));
  };
  const ValidationSet set = read("training.micro_batch=2", "tokens_per_s_per_gpu");
  CHECK(set.cases[0].comparison == "mine");
  CHECK(set.cases[1].comparison.empty());
  CHECK_THROWS_WITH(read("training.micro_batch=2", "step_time_ms"),
                    Catch::Contains("cases.csv:4:5") &&
                        Catch::Contains("is of tokens_per_s_per_gpu, not of step_time_ms"));
  for (const char* other : {"cluster.gpus=64", "training.global_batch=512", "model.layers=16",
                            "training.sequence_length=2048", "training.precision=fp8"})
    CHECK_THROWS_WITH(read(other, "tokens_per_s_per_gpu"),
                      Catch::Contains("cases.csv:4:5") &&
                          Catch::Contains("the comparison \"mine\" holds") &&
                          Catch::Contains("a has mixtral-8x7b of 32 layers on 128 GPUs"));
}

TEST_CASE("a column that is missing or unknown is refused") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(
      read_validation(folder.write("cases.csv", "case,tier,scenario,quantity,measured,source\n")),
      Catch::Contains("\"tolerance_percent\" is missing"));
  CHECK_THROWS_WITH(
      read_validation(folder.write("cases.csv", "case,tier,scenario,quantity,measured,"
                                                "tolerance_percent,source,setting\n")),
      Catch::Contains("unknown column \"setting\"") &&
          Catch::Contains("did you mean \"settings\"?"));
}

TEST_CASE("tiers.csv beside the cases bounds the tiers, and names them all") {
  const Cases cases;
  const std::string row = "a,fast,a.toml,,time_us,1,5,s\n";
  const std::string header =
      "tier,median_tolerance_percent,p90_tolerance_percent,kendall_tau_min,why\n";
  cases.folder().write("tiers.csv", header + "fast,7.5,,0.8,a reason\n");
  const ValidationSet set = cases.read(row);
  REQUIRE(set.tiers.size() == 1);
  CHECK(set.tiers.front().tier == "fast");
  CHECK(set.tiers.front().median_tolerance_percent == 7.5);
  CHECK_FALSE(set.tiers.front().p90_tolerance_percent);
  CHECK(set.tiers.front().kendall_tau_min == 0.8);
  CHECK(set.tiers.front().why == "a reason");
  CHECK_THAT(cases.refusal("a,fest,a.toml,,time_us,1,5,s\n"),
             Catch::Contains("cases.csv:2:3") && Catch::Contains("did you mean \"fast\"?"));
  cases.folder().write("tiers.csv", header + "fast,7,,,one\nfast,8,,,two\n");
  CHECK_THAT(cases.refusal(row), Catch::Contains("tiers.csv:3:1"));
  cases.folder().write("tiers.csv", header + "fast,-7,,,one\n");
  CHECK_THAT(cases.refusal(row), Catch::Contains("is not above zero"));
}
