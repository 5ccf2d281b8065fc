#include "sim/study/result_text.hpp"

#include "sim/base/check.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace moesim {

namespace {

using nlohmann::json;

constexpr const char* best_plans_key = "best_plans";

/// The shortest text that reads back as the same number, or as no number.
std::string exact_text(double value) {
  return fmt::format("{}", value);
}

double exact_number(const std::string& text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  INVARIANT(error == std::errc{} && end == text.data() + text.size(), "number {}", text);
  return value;
}

/// The string of a key of a JSON object.
std::string cell(const json& values, const char* name) {
  INVARIANT(values.contains(name) && values[name].is_string(), "{} in {}", name, values.dump());
  return values[name];
}

json parse_object(const std::string& text) {
  json values = json::parse(text, nullptr, false);
  INVARIANT(values.is_object(), "answer {}", text);
  return values;
}

/// The JSON as one line, for messages of any bytes.
std::string line_of(const json& values) {
  return values.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

std::string result_text(const StepResult& result, const std::vector<PlanRank>& best_plans) {
  json values = {{"status", result.status}, {"reason", result.reason}};
  for (const ResultColumn& column : result_columns())
    if (const auto* number = std::get_if<double StepResult::*>(&column.member))
      values[column.name] = exact_text(result.*(*number));
    else
      values[column.name] = result.*std::get<std::string StepResult::*>(column.member);
  for (const PlanRank& plan : best_plans)
    values[best_plans_key].push_back(
        {{"step_time_ms", exact_text(plan.step_time_ms)}, {"plan", plan.plan}});
  return line_of(values);
}

StepResult result_from_text(const std::string& text) {
  const json values = parse_object(text);
  StepResult result;
  result.status = cell(values, "status");
  result.reason = cell(values, "reason");
  for (const ResultColumn& column : result_columns())
    if (const auto* number = std::get_if<double StepResult::*>(&column.member))
      result.*(*number) = exact_number(cell(values, column.name));
    else
      result.*std::get<std::string StepResult::*>(column.member) = cell(values, column.name);
  return result;
}

std::vector<PlanRank> best_plans_from_text(const std::string& text) {
  const json values = parse_object(text);
  std::vector<PlanRank> plans;
  if (values.contains(best_plans_key))
    for (const json& plan : values[best_plans_key])
      plans.push_back({exact_number(cell(plan, "step_time_ms")), cell(plan, "plan")});
  return plans;
}

std::string twin_text(const TwinAnswer& answer) {
  return line_of({{"step_time_ms", exact_text(answer.step_time_ms)},
                  {"waterfall", to_text(answer.waterfall)},
                  {"plan", answer.plan},
                  {"failure", answer.failure}});
}

TwinAnswer twin_from_text(const std::string& text) {
  const json values = parse_object(text);
  return {exact_number(cell(values, "step_time_ms")),
          waterfall_from_text(cell(values, "waterfall")), cell(values, "plan"),
          cell(values, "failure")};
}

} // namespace moesim
