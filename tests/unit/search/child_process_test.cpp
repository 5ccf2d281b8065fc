#include "sim/search/child_process.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <stdexcept>

using namespace moesim;

TEST_CASE("a child's text comes back, whatever it begins with") {
  for (const char* text : {"", "+", "-1", "!\n"})
    CHECK(run_in_child([&] { return std::string(text); }) == text);
}

TEST_CASE("the user's mistake in a child is the user's mistake, everything else a defect") {
  const auto fail = [](auto error) { return run_in_child([&]() -> std::string { throw error; }); };
  const InputError mistake({"step.json"}, "cannot be written");
  CHECK_THROWS_AS(fail(mistake), InputError);
  CHECK_THROWS_WITH(fail(mistake), "step.json: error: cannot be written");
  CHECK_THROWS_AS(fail(std::runtime_error("odd")), InternalError);
  CHECK_THROWS_WITH(fail(std::runtime_error("odd")), "odd");
  const auto crash = []() -> std::string { std::abort(); };
  CHECK_THROWS_AS(run_in_child(crash), ProcessKilled);
  CHECK_THROWS_WITH(run_in_child(crash), "the process was ended by signal 6 (SIGABRT)");
}

TEST_CASE("an answer may make tasks that could not start before") {
  std::vector<std::size_t> left{0, 1};
  std::vector<std::string> answers;
  run_in_children(
      [&]() -> std::optional<ChildTask> {
        if (left.empty())
          return std::nullopt;
        const std::size_t number = left.back();
        left.pop_back();
        return ChildTask{number, [number] { return std::to_string(number); }};
      },
      1,
      [&](std::size_t number, const ChildAnswer& answer) {
        answers.push_back(answer.text);
        if (number == 1)
          left.push_back(7);
      });
  CHECK(answers == std::vector<std::string>{"1", "7", "0"});
}
