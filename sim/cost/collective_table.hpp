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
  deepep,       ///< kernels of DeepEP and UCCL-EP
  hybridep
};

/// The properties of a kind of communication, apart from its measured costs.
struct CollectiveRow {
  Collective collective;
  const char* name; ///< in tables and traces, as "all_to_all"
  FlowShape flows;
  KernelSms sms;
  /// The collective whose measured costs apply: itself, or one that runs the same kernels.
  Collective costs;
  /// The collective that carries the part inside a domain if the group spans several.
  Collective inside;
  /// Number of passes of the buffer. A rank of a ring sends passes × (n − 1)/n of it, which is the
  /// bus factor of nccl-tests (doc/PERFORMANCE.md). 0: the factor is 1.
  double passes = 0.0;
  /// Whether the bytes of a rank follow from the size of the buffer. Those of a dispatch or combine
  /// follow from its routing.
  bool has_size = true;
  /// Reads and writes of the GPU's memory for each byte. A byte passed on is read and written. A
  /// sum reads two values and writes one. A ring all-reduce does both: 3 accesses to sum, 2 to pass
  /// on.
  double memory_accesses = 2.0;
  /// Whether a step may need it on either tier; then each interconnect must have its costs.
  bool always_needed = false;
  /// Collectives with the most similar costs on the same interconnect, most similar first.
  std::vector<Collective> nearest = {};
  /// The collective whose costs apply if no near interconnect measured this one or `nearest`.
  std::optional<Collective> stand_in = std::nullopt;
};

/// All rows, in the order in which tables list them.
std::span<const CollectiveRow> collective_rows();
/// The row of a collective. Throws InternalError if it has none.
const CollectiveRow& row_of(Collective collective);
/// The index of a row in collective_rows.
std::size_t row_index(Collective collective);

/// Whether a collective passes data from neighbour to neighbour: rings, trees, and sums in the
/// switch, which pass data between domains.
bool is_ring(Collective collective);
/// Whether it is a dispatch or combine, by any library.
bool is_token_exchange(Collective collective);

/// The library whose measured costs the dispatch and combine of a library take: its own, or those
/// of one that runs the same kernels.
Library costs_library(Library library);

/// The name of a collective in tables, as "all_to_all".
const std::string& collective_name(Collective collective);
/// The names of the collectives that have measured costs of their own.
const std::vector<std::string>& measured_collective_names();
/// The collective of a name. Throws InternalError for a name that no row has.
Collective collective_named(const std::string& name);

/// Bus bandwidth over algorithm bandwidth for `ranks` ranks (nccl-tests, doc/PERFORMANCE.md).
double bus_factor(Collective collective, std::int64_t ranks);

} // namespace moesim
