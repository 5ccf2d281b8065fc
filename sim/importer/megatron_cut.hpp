#pragma once

#include "sim/importer/imported_scenario.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// The cut of a model's layers into virtual stages by Megatron's arguments.
struct PipelineCut {
  std::int64_t virtual_stages = 1;
  std::string argument; ///< argument that gives the virtual stages; empty: none
  /// Layers of each virtual stage, in the order of the model; empty: an even cut.
  std::vector<std::int64_t> layers;
  std::string source; ///< the argument that cuts the layers, with its position; may be empty
  std::string note;   ///< note on a part of the cut that is not modelled; may be empty
};

/// Throws InputError for a cut that does not fit the layers or the pipeline stages.
PipelineCut read_pipeline_cut(const MegatronArguments& arguments, const ImportedModel& model);

} // namespace moesim
