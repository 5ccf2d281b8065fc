#include "sim/cost/failure_rates.hpp"

#include "tests/support/calibration.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

const std::string failures_header = "fleet,part,mtbf_hours,provenance,source\n";

std::string failures_refusal(const std::string& rows) {
  const TemporaryFolder folder;
  folder.write("failures.csv", failures_header + rows);
  try {
    read_failure_rates(folder.path(), {});
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("the fleet of Llama 3 fails 419 times in 54 days on 16,384 GPUs") {
  const FailureRates rates = read_failure_rates(calibration_folder, {});
  double failures = 0.0;
  for (const FailingPart part : enumerators<FailingPart>) {
    const double parts = part == FailingPart::host ? 2048.0 : 16'384.0;
    failures += 54.0 * 24.0 * 3600.0 * parts / rates.mtbf[index(part)].value;
  }
  CHECK(failures == Approx(419.0).epsilon(1e-4));
}

TEST_CASE("a fleet of hosts alone: 16,384 GPUs of RSC-1 fail each 1.8 hours, as published") {
  // arXiv 2410.21680: a projected mean time to failure of 1.8 h at 16,384 GPUs.
  const FailureRates rates = read_failure_rates(calibration_folder, {.fleet = "rsc-1"});
  CHECK(rates.mtbf[index(FailingPart::host)].value / 2048.0 == Approx(1.8 * 3600.0).epsilon(0.01));
  CHECK(std::isinf(rates.mtbf[index(FailingPart::gpu)].value));
  CHECK(rates.sources[index(FailingPart::gpu)].empty());
}

TEST_CASE("a given time replaces the fleet's") {
  FailureSpec spec;
  spec.mtbf[index(FailingPart::nic)] = Seconds{7200.0};
  const FailureRates rates = read_failure_rates(calibration_folder, spec);
  CHECK(rates.mtbf[index(FailingPart::nic)].value == 7200.0);
  CHECK(rates.sources[index(FailingPart::nic)] == "given");
}

TEST_CASE("failures.csv is refused where it is wrong") {
  CHECK_THAT(failures_refusal("llama-3,disk,5,published,x\n"), Contains("failures.csv:2:9: error"));
  CHECK_THAT(failures_refusal("llama-3,gpu,0,published,x\n"), Contains("failures.csv:2:13: error"));
  CHECK_THAT(failures_refusal("llama-3,gpu,5,published,x\nllama-3,gpu,6,published,x\n"),
             Contains("failures.csv:3:9: error: the gpu of \"llama-3\" is given twice"));
  CHECK_THAT(failures_refusal("lama-3,gpu,5,published,x\n"), Contains("\"lama-3\""));
}
