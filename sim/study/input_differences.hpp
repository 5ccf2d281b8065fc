#pragma once

#include "sim/scenario/scenario.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// The inputs of an answered step under the names that a person gives them, and their values as
/// text.
struct NamedInputs {
  /// By key: those of the scenario as written, of the topology file as `gpu.kind`, of the plan as
  /// resolved or found, and the sizes of the model after overrides.
  std::map<std::string, std::string> values;
  /// Files that keys name. Two are the same input if they have the same content.
  std::map<std::string, std::filesystem::path> files;
};

/// The inputs of a step. `plan`: the plan that answered it, as plan_settings.
NamedInputs named_inputs(const ScenarioInput& input, const Scenario& scenario,
                         const std::string& plan);

/// An input that two steps do not share.
struct InputDifference {
  std::string key;
  std::string a; ///< empty: not written, so that its default holds
  std::string b;

  bool operator==(const InputDifference&) const = default;
};

/// The inputs that differ, in the order of their keys.
std::vector<InputDifference> input_differences(const NamedInputs& a, const NamedInputs& b);

} // namespace moesim
