#include "sim/study/input_differences.hpp"

#include "sim/base/words.hpp"
#include "sim/input/file_text.hpp"
#include "sim/study/scenario_keys.hpp"

#include <set>
#include <utility>

namespace moesim {

namespace {

namespace fs = std::filesystem;

void add_values(const TomlTable& table, const std::string& prefix, NamedInputs& inputs) {
  visit_keys(table, prefix, [&](const ScenarioKey& key) {
    inputs.values[key.dotted] = key.table.any_value(key.name).text;
  });
}

/// The keys of the topology file under the names of their tables. A key of `[cluster]` that
/// overrides one takes its place.
void add_topology(const ClusterInput& cluster, NamedInputs& inputs) {
  visit_keys(cluster.topology.file, "", [&](const ScenarioKey& key) {
    if (key.name == "source")
      return;
    const std::string setting = "cluster." + key.name;
    const bool overridden = key.name != "gpus" && inputs.values.contains(setting);
    inputs.values[key.dotted] =
        overridden ? inputs.values.at(setting) : key.table.any_value(key.name).text;
    if (overridden)
      inputs.values.erase(setting);
  });
}

void add_model(const ModelSpec& model, NamedInputs& inputs) {
  const ParameterCount parameters = count_parameters(model);
  const std::vector<std::pair<std::string, std::int64_t>> sizes = {
      {"layers", static_cast<std::int64_t>(model.layers.size())},
      {"hidden", model.hidden},
      {"vocabulary", model.vocabulary},
      {"attention_heads", model.attention.heads},
      {"kv_heads", model.attention.kv_heads},
      {"head_dim", model.attention.head_dim},
      {"experts", model.experts.experts},
      {"experts_per_token", model.experts.experts_per_token},
      {"expert_hidden", model.experts.expert_hidden},
      {"parameters_total", parameters.total},
      {"parameters_active", parameters.active}};
  for (const auto& [name, size] : sizes)
    inputs.values["model." + name] = std::to_string(size);
}

/// The assignments of a plan, in place of what the scenario writes of it.
void add_plan(const std::string& plan, NamedInputs& inputs) {
  TomlDocument document = TomlDocument::parse("", "plan");
  for (const std::string& assignment : words(plan)) // values hold no spaces
    document.set(assignment);
  add_values(document.root(), "", inputs);
}

bool same_file(const fs::path& a, const fs::path& b) {
  if (fs::equivalent(a, b))
    return true;
  return fs::is_regular_file(a) && fs::is_regular_file(b) && read_file(a) == read_file(b);
}

} // namespace

NamedInputs named_inputs(const ScenarioInput& input, const Scenario& scenario,
                         const std::string& plan) {
  NamedInputs inputs;
  const ScenarioTables& tables = input.tables;
  const std::vector<std::pair<std::string, const TomlTable*>> all = {
      {"model", &tables.model},       {"cluster", &tables.cluster},
      {"training", &tables.training}, {"parallel", &tables.parallel},
      {"routing", &tables.routing},   {"communication", &tables.communication}};
  for (const auto& [name, table] : all)
    add_values(*table, name, inputs);
  inputs.values["simulation.fidelity"] = name_of(fidelity_names, input.fidelity);
  add_topology(input.cluster, inputs);
  add_model(scenario.workload.model, inputs);
  add_plan(plan, inputs);
  inputs.files = {{"model.config", input.model.config}, {"cluster.topology", input.cluster.file}};
  if (input.routing.recording)
    inputs.files["routing.trace"] = *input.routing.recording;
  for (const auto& [key, file] : inputs.files)
    inputs.values[key] = file.lexically_normal().string();
  return inputs;
}

std::vector<InputDifference> input_differences(const NamedInputs& a, const NamedInputs& b) {
  std::set<std::string> keys;
  for (const NamedInputs* inputs : {&a, &b})
    for (const auto& [key, value] : inputs->values)
      keys.insert(key);
  const auto value_in = [](const NamedInputs& inputs, const std::string& key) {
    const auto found = inputs.values.find(key);
    return found == inputs.values.end() ? std::string() : found->second;
  };
  std::vector<InputDifference> differences;
  for (const std::string& key : keys) {
    const bool both_files = a.files.contains(key) && b.files.contains(key);
    const bool same = both_files ? same_file(a.files.at(key), b.files.at(key))
                                 : value_in(a, key) == value_in(b, key);
    if (!same)
      differences.push_back({key, value_in(a, key), value_in(b, key)});
  }
  return differences;
}

} // namespace moesim
