#pragma once

#include "sim/routing/router_training.hpp"
#include "sim/workload/workload.hpp"

#include <cstdint>

namespace moesim {

/// The loads of a model's MoE layers after so many steps of training: a recording of one row. So
/// that a model of many layers is soon trained, up to four routers are, with seeds of their own,
/// and layers take them in turn; each layer numbers their experts anew, at random, so that the busy
/// ones of two layers have nothing to do with each other. `training.experts` counts those that the
/// model starts with; experts that are added later have no load before.
LoadTrace trained_loads(const RouterTraining& training, const ModelSpec& model, std::int64_t steps);

/// The loads of a workload whose routing is `LoadKind::trained`, after `routing.step` steps. Its
/// routers are trained when somebody asks first, and once a process: workloads that agree in all
/// that the training depends on share one answer.
const LoadTrace& trained_loads_of(const Workload& workload);

} // namespace moesim
