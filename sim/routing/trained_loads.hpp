#pragma once

#include "sim/routing/router_training.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>

namespace moesim {

/// The loads of a model's MoE layers after `steps` steps of training: a recording of one row. At
/// most four routers are trained, each with its own seed, to save time; layers take them in turn.
/// Each layer renumbers the experts at random, so that the busy experts of two layers are
/// independent. `training.experts` counts the experts at the start; experts added later have no
/// load before.
LoadTrace trained_loads(const RouterTraining& training, const ModelSpec& model, std::int64_t steps);

/// The loads of a workload whose routing is `LoadKind::trained`, after `routing.step` steps. Its
/// routers are trained at the first call, once a process: workloads with the same inputs of the
/// training share the loads.
const LoadTrace& trained_loads_of(const Workload& workload);

} // namespace moesim
