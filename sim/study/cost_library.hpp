#pragma once

#include "sim/cost/costs.hpp"
#include "sim/platform/topology_spec.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// Cost tables, read once for each GPU kind and precision of a study's points.
class CostLibrary {
public:
  /// `calibration` is the folder of measured costs.
  explicit CostLibrary(std::filesystem::path calibration) : calibration_(std::move(calibration)) {}

  /// The costs of a topology, valid as long as the library. Throws the errors of load_costs.
  const Costs& of(const TopologySpec& topology, const TrainingSpec& training);

private:
  std::filesystem::path calibration_;
  std::map<std::string, Costs> costs_; ///< by the GPU's kind and speeds, and the precision
};

} // namespace moesim
