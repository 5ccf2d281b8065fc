#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/units.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace moesim {

/// A kind of part whose failures are counted together.
enum class FailingPart {
  gpu,
  nic,
  network_switch, ///< switches and cables behind one NIC
  host,
  software ///< bugs and time-outs, by the number of GPUs
};

/// The names in `calibration/failures.csv`.
inline constexpr auto failing_part_names =
    std::to_array<Named<FailingPart>>({{FailingPart::gpu, "gpu"},
                                       {FailingPart::nic, "nic"},
                                       {FailingPart::network_switch, "switch"},
                                       {FailingPart::host, "host"},
                                       {FailingPart::software, "software"}});
static_assert(names_each(failing_part_names));

/// A time for each kind of part.
using PartTimes = std::array<Seconds, enumerator_count<FailingPart>>;

/// How a checkpoint is written.
enum class CheckpointWrite {
  blocking,    ///< the step waits until the storage has it
  asynchronous ///< the step waits for a copy in host memory, which is written meanwhile
};

/// The names in scenarios.
inline constexpr auto checkpoint_write_names = std::to_array<Named<CheckpointWrite>>(
    {{CheckpointWrite::blocking, "blocking"}, {CheckpointWrite::asynchronous, "asynchronous"}});
static_assert(names_each(checkpoint_write_names));

/// The effect of a NIC that fails.
enum class NicFailure {
  stop, ///< the job stops, and its host is replaced
  go_on ///< the job goes on over the other NICs of the host, at the slower step, until the repair
};

/// The names in scenarios.
inline constexpr auto nic_failure_names =
    std::to_array<Named<NicFailure>>({{NicFailure::stop, "stop"}, {NicFailure::go_on, "go-on"}});
static_assert(names_each(nic_failure_names));

/// `[failures]` of a scenario or plan file: how often parts fail, and what a job does about it.
/// Sources of the defaults: workloads/SCENARIO.md.
struct FailureSpec {
  std::string fleet = "llama-3"; ///< rows of `calibration/failures.csv`
  InputLocation fleet_place = {};
  /// In place of the fleet's, by part: of one part.
  std::array<std::optional<Seconds>, enumerator_count<FailingPart>> mtbf = {};
  std::optional<BytesPerSecond> storage = std::nullopt; ///< of the whole job
  CheckpointWrite checkpoint = CheckpointWrite::blocking;
  std::optional<Seconds> interval = std::nullopt; ///< between checkpoints; nothing: the best
  Seconds detection{600.0};
  Seconds restart{300.0}; ///< without the time to read the checkpoint
  Seconds repair{86'400.0};
  /// Hosts that wait to replace others. Nothing: the fewest that wait_share_max allows.
  std::optional<std::int64_t> spare_hosts = std::nullopt;
  NicFailure nic_failure = NicFailure::stop;
};

} // namespace moesim
