#pragma once

#include "sim/importer/imported_scenario.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moesim {

/// The cut of a model's layers into virtual stages, as far as Megatron's arguments tell.
struct PipelineCut {
  std::int64_t virtual_stages = 1;
  std::string argument; ///< that tells the virtual stages; empty: none does
  /// Layers of each virtual stage, in the order of the model; empty: as even as can be.
  std::vector<std::int64_t> layers;
  std::string source; ///< the argument that cuts the layers, with its place; may be empty
  std::string note;   ///< on a part of the cut that is not modelled; may be empty
};

/// Throws InputError for a cut that does not fit the layers or the pipeline stages.
PipelineCut read_pipeline_cut(const MegatronArguments& arguments, const ImportedModel& model);

} // namespace moesim
