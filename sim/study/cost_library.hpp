#pragma once

#include "sim/cost/costs.hpp"
#include "sim/platform/topology_spec.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// Cost tables, read once for each GPU and precision that the points of a study name.
class CostLibrary {
public:
  /// `calibration` is the folder of measured costs.
  explicit CostLibrary(std::filesystem::path calibration) : calibration_(std::move(calibration)) {}

  /// Valid until the library dies. Throws InputError as load_costs does.
  const Costs& of(const TopologySpec& topology, const TrainingSpec& training);

private:
  std::filesystem::path calibration_;
  std::map<std::string, Costs> costs_; ///< by the GPU's kind and speeds, and the precision
};

} // namespace moesim
