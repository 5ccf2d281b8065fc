#include "cuda_microbench/core/measure_all.hpp"
#include "tests/microbench/emulated_machine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <sstream>
#include <thread>

using namespace moesim::microbench;

namespace {

EmulatedMachine machine;
int fault_at = 0; ///< the case whose launch throws
bool is_sticky = false;

/// Cases 1 to 4 of a benchmark, of which the even ones are shapes of shipped models.
void run_cases(Recorder& recorder) {
  for (int number = 1; number <= 4; ++number) {
    const std::vector<std::string> shape{std::to_string(number)};
    recorder.attempt(number % 2 == 0 ? Importance::shipped : Importance::grid, shape, [&] {
      recorder.time(shape, {}, [&](Stream) {
        if (number != fault_at)
          return;
        machine.is_lost = is_sticky;
        throw std::runtime_error("it failed");
      });
    });
  }
}

/// Takes 50 ms a case.
void run_slowly(Recorder& recorder) {
  for (int number = 1; number <= 4; ++number)
    recorder.attempt(Importance::shipped, {std::to_string(number)}, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      recorder.time({std::to_string(number)}, {}, [](Stream) {});
    });
}

const Benchmark four_cases{"four", "", {"number"}, run_cases};
const Benchmark slow{"slow", "", {"number"}, run_slowly};

struct Outcome {
  Ending ending;
  std::string tables;
  std::string log;
};

Outcome measured(const std::vector<Benchmark>& benchmarks, int failing, bool sticky,
                 const RunOptions& options = {}) {
  machine.is_lost = false;
  fault_at = failing;
  is_sticky = sticky;
  std::ostringstream tables;
  std::ostringstream log;
  const Ending ending =
      measure_all(benchmarks, machine, machine.read_device(0), options, tables, log);
  return {ending, tables.str(), log.str()};
}

/// The first words of the table's lines: the cases in the order in which they were measured.
std::string cases_of(const std::string& printed) {
  std::istringstream lines(printed);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (words >> word && word.size() == 1)
      all += word;
  }
  return all;
}

} // namespace

TEST_CASE("shapes of shipped models are measured before the rest") {
  const Outcome outcome = measured({four_cases}, 0, false);
  CHECK(outcome.ending == Ending::measured);
  CHECK(cases_of(outcome.tables) == "2413");
}

TEST_CASE("a case that fails is skipped with its reason, and the rest goes on") {
  const Outcome outcome = measured({four_cases}, 2, false);
  CHECK(outcome.ending == Ending::measured);
  CHECK(cases_of(outcome.tables) == "413");
  CHECK(outcome.tables.find("skipped: 2: it failed\n") != std::string::npos);
}

TEST_CASE("a GPU that is lost ends the run, and what was finished is kept") {
  const moesim::TemporaryFolder folder;
  RunOptions options;
  options.csv_folder = folder.path();
  const Outcome outcome = measured({four_cases, slow}, 1, true, options);
  CHECK(outcome.ending == Ending::device_lost);
  CHECK(cases_of(outcome.tables) == "241234"); // and the four of the slow one, before
  CHECK(outcome.tables.find("failed: an illegal memory access: cases are missing") !=
        std::string::npos);
  CHECK(std::filesystem::exists(folder.path() / "four.csv"));
}

TEST_CASE("a benchmark without rows leaves no file") {
  const moesim::TemporaryFolder folder;
  RunOptions options;
  options.csv_folder = folder.path();
  measured({four_cases}, 2, true, options);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "four.csv"));
}

TEST_CASE("when its time is over a benchmark stops, and says so") {
  RunOptions options;
  options.minutes = 0.12 / 60.0; // the fourth case would begin after 150 ms
  const Outcome outcome = measured({slow}, 0, false, options);
  CHECK(outcome.ending == Ending::measured);
  CHECK(cases_of(outcome.tables).size() < 4);
  CHECK(outcome.tables.find("stopped: the time given was over") != std::string::npos);
}

TEST_CASE("a case with other cells than the columns is a mistake of the benchmark") {
  Recorder recorder(four_cases, machine, machine.read_device(0), false);
  CHECK_THROWS_AS(recorder.skip({"1", "2"}, "two cells"), std::logic_error);
  recorder.skip({"1"}, "once");
  CHECK_THROWS_AS(recorder.skip({"1"}, "twice"), std::logic_error);
}
