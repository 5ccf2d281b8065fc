#pragma once

#include "sim/workload/collective.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace moesim {

/// The shape of the flows of a collective between the ranks of a group.
enum class FlowShape : std::uint8_t {
  every_pair, ///< from each rank to each peer
  two_phases, ///< within the domain, then between counterparts of the domains
  fan_out,    ///< to the counterpart in each domain that a token needs, from there to its ranks
  rings,      ///< to the next rank of the domain, and of the ring between domains
  tree,       ///< along the chain of the domain, and up and down between domains
  switch_sum, ///< to the switch of the domain and back, then around rings between domains
  one_pair    ///< from one rank to another
};

/// The kernels that hold SMs of a GPU while a collective runs.
enum class KernelSms : std::uint8_t {
  ring,         ///< NCCL's rings, trees, gathers
  send_receive, ///< NCCL's sends and receives
  in_switch,    ///< NCCL's sums in the switch
  deepep,       ///< and UCCL-EP's
  hybridep
};

/// One kind of communication: all that tells it from others, but its measured costs.
struct CollectiveRow {
  Collective collective;
  const char* name; ///< in tables and traces, as "all_to_all"
  FlowShape flows;
  KernelSms sms;
  /// The row whose measured costs it has: its own, or that of a kind which runs the same kernels.
  Collective costs;
  /// The part inside the domain, where the group spans several.
  Collective inside;
  /// Times that the buffer passes a rank: a rank of a ring passes on passes × (n − 1)/n of it; the
  /// bus factor of nccl-tests (doc/PERFORMANCE.md) is the same. 0: the factor is 1.
  double passes = 0.0;
  /// Whether the bytes of a rank follow from the size of the buffer; those of a dispatch or combine
  /// follow from its routing.
  bool has_size = true;
  /// Reads and writes of the GPU's memory for each byte: what is passed on is read and written; a
  /// sum reads two values to write one, in a ring twice where all ranks get it.
  double memory_accesses = 2.0;
  /// Whether any step may need it on either tier, so that each interconnect must have its costs.
  bool always_needed = false;
  /// Others on the same interconnect whose costs come nearest to those of this one, nearest first.
  std::vector<Collective> nearest = {};
  /// The one whose costs stand in where no interconnect of its kind measured this one.
  std::optional<Collective> stand_in = std::nullopt;
};

/// All rows, in the order in which tables list them.
std::span<const CollectiveRow> collective_rows();
/// The row of a collective. Throws InternalError if it has none.
const CollectiveRow& row_of(Collective collective);
/// The index of a row in collective_rows.
std::size_t row_index(Collective collective);

/// Whether a collective passes data from neighbour to neighbour: rings, trees, and sums in the
/// switch with what they pass between domains.
bool is_ring(Collective collective);
/// Whether it is a dispatch or combine, by any library.
bool is_token_exchange(Collective collective);

/// The name of a collective in tables, as "all_to_all".
const std::string& collective_name(Collective collective);
/// The names of the collectives that have measured costs of their own.
const std::vector<std::string>& measured_collective_names();
/// The collective of a name. Throws InternalError for a name that no row has.
Collective collective_named(const std::string& name);

/// Bus bandwidth over algorithm bandwidth for `ranks` ranks (nccl-tests, doc/PERFORMANCE.md).
double bus_factor(Collective collective, std::int64_t ranks);

} // namespace moesim
