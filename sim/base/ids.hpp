#pragma once

#include "sim/base/enumeration.hpp"

#include <cstdint>

/// Ids as types of their own, so that the compiler tells a rank from a device.
namespace moesim {

/// A GPU process of the job, 0 … gpus − 1, in the order of the framework's ranks.
enum class RankId : std::uint32_t {};
/// A replayed device: one rank in the fidelity `flows`, one class of ranks in `folded`.
enum class DeviceId : std::uint32_t {};
/// An operation of a step graph, in the order of creation.
enum class OpId : std::uint32_t {};
/// A directed link of a topology.
enum class LinkId : std::uint32_t {};

} // namespace moesim
