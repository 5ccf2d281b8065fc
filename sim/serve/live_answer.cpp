#include "sim/serve/live_answer.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/replay/machine.hpp"
#include "sim/search/child_process.hpp"
#include "sim/serve/live_settings.hpp"
#include "sim/study/simulate.hpp"

#include <nlohmann/json.hpp>

#include <csignal>

namespace moesim {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json refusal(const std::string& status, const std::string& reason, const std::string& hint = "") {
  return {{"status", status}, {"reason", reason}, {"hint", hint}};
}

Json prediction_json(const Prediction& prediction) {
  const StepResult& result = prediction.result;
  Json json = refusal(result.status, result.reason);
  for (const ResultColumn& column : result_columns()) {
    json["result"][column.name] = cell_text(result, column);
    json["meanings"][column.name] = column.description;
  }
  for (const auto& [name, value] : prediction.diagnostics)
    json["diagnostics"][name] = value;
  return json;
}

} // namespace

LiveAnswers::LiveAnswers(std::filesystem::path scenario, const std::filesystem::path& calibration)
    : scenario_(std::move(scenario)), costs_(calibration) {
  const Scenario read = read_scenario(scenario_, {});
  costs_.of(read.topology, read.workload.training);
  Json controls = Json::object();
  for (const auto& [key, value] : live_controls(read))
    controls[key] = value;
  controls_ = text_of(controls);
  Machine::load();
}

std::string LiveAnswers::answer(const std::vector<TomlSetting>& settings, LiveDepth depth) {
  try {
    return run_in_child([&] {
      std::signal(SIGINT, SIG_DFL); // the server's own handlers would stop it from here
      std::signal(SIGTERM, SIG_DFL);
      return answer_here(settings, depth);
    });
  } catch (const InternalError& error) {
    return text_of(refusal("failed", error.what()));
  }
}

std::string LiveAnswers::answer_here(const std::vector<TomlSetting>& settings, LiveDepth depth) {
  try {
    const Scenario scenario = resolve_scenario(parse_scenario_with(scenario_, settings));
    const Costs& costs = costs_.of(scenario.topology, scenario.workload.training);
    const Twins twins = depth == LiveDepth::savings ? Twins::search : Twins::skip;
    return text_of(prediction_json(simulate(scenario, costs, {}, twins)));
  } catch (const IllegalScenario& error) {
    return text_of(refusal("illegal", error.message(), error.hint()));
  } catch (const InputError& error) {
    return text_of(refusal("wrong input", error.message(), error.hint()));
  }
}

} // namespace moesim
