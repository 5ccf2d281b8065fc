#include "sim/cost/collective_table.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace moesim {

namespace {

using C = Collective;

/// The row of a ring of NCCL.
CollectiveRow ring(Collective kind, const char* name, double passes, double memory_accesses,
                   std::vector<Collective> nearest) {
  return {.collective = kind,
          .name = name,
          .flows = FlowShape::rings,
          .sms = KernelSms::ring,
          .costs = kind,
          .inside = kind,
          .passes = passes,
          .memory_accesses = memory_accesses,
          .always_needed = true,
          .nearest = std::move(nearest)};
}

/// The row of a collective by NCCL's sends and receives.
CollectiveRow sends(Collective kind, const char* name, FlowShape flows, double passes,
                    Collective costs) {
  return {.collective = kind,
          .name = name,
          .flows = flows,
          .sms = KernelSms::send_receive,
          .costs = costs,
          .inside = costs,
          .passes = passes,
          .always_needed = kind == costs};
}

/// The row of an all-reduce by another algorithm. It takes the costs of rings on interconnects that
/// did not measure it.
CollectiveRow other_all_reduce(Collective kind, const char* name, FlowShape flows, KernelSms sms,
                               double memory_accesses) {
  return {.collective = kind,
          .name = name,
          .flows = flows,
          .sms = sms,
          .costs = kind,
          .inside = kind,
          .passes = 2.0,
          .memory_accesses = memory_accesses,
          .stand_in = C::all_reduce};
}

/// A node-limited dispatch or combine, or its part on NVLink. Memory accesses count for each byte
/// of a token that is sent once to each of its ranks.
CollectiveRow token_exchange(Collective kind, const char* name, KernelSms sms, Collective costs,
                             Collective inside) {
  return {.collective = kind,
          .name = name,
          .flows = FlowShape::fan_out,
          .sms = sms,
          .costs = costs,
          .inside = inside,
          .has_size = false};
}

std::vector<CollectiveRow> nccl_rows() {
  return {
      sends(C::all_to_all, "all_to_all", FlowShape::every_pair, 1.0, C::all_to_all),
      sends(C::two_phase_all_to_all, "two_phase_all_to_all", FlowShape::two_phases, 1.0,
            C::all_to_all),
      // Rings have similar costs: each may take those of another.
      ring(C::all_gather, "all_gather", 1.0, 2.0, {C::reduce_scatter, C::all_reduce}),
      ring(C::reduce_scatter, "reduce_scatter", 1.0, 3.0, {C::all_gather, C::all_reduce}),
      ring(C::all_reduce, "all_reduce", 2.0, 5.0, {C::all_gather, C::reduce_scatter}),
      other_all_reduce(C::all_reduce_tree, "all_reduce_tree", FlowShape::tree, KernelSms::ring,
                       5.0),
      other_all_reduce(C::all_reduce_in_switch, "all_reduce_in_switch", FlowShape::switch_sum,
                       KernelSms::in_switch, 2.0),
      sends(C::point_to_point, "point_to_point", FlowShape::one_pair, 0.0, C::point_to_point),
  };
}

std::vector<CollectiveRow> token_exchange_rows() {
  constexpr KernelSms deepep = KernelSms::deepep;
  CollectiveRow hybrid_dispatch =
      token_exchange(C::hybrid_dispatch, "hybrid_dispatch", KernelSms::hybridep, C::hybrid_dispatch,
                     C::hybrid_dispatch);
  hybrid_dispatch.stand_in = C::dispatch;
  CollectiveRow hybrid_combine =
      token_exchange(C::hybrid_combine, "hybrid_combine", KernelSms::hybridep, C::hybrid_combine,
                     C::hybrid_combine);
  // A combine takes about as long as a dispatch of the same bytes (661 and 624 µs, 3064 and 3088,
  // arXiv 2603.07685 table 7).
  hybrid_combine.nearest = {C::hybrid_dispatch};
  hybrid_combine.stand_in = C::combine;
  return {
      token_exchange(C::dispatch, "dispatch", deepep, C::dispatch, C::dispatch_forward),
      token_exchange(C::combine, "combine", deepep, C::combine, C::combine_forward),
      token_exchange(C::dispatch_forward, "dispatch_forward", deepep, C::dispatch_forward,
                     C::dispatch_forward),
      token_exchange(C::combine_forward, "combine_forward", deepep, C::combine_forward,
                     C::combine_forward),
      hybrid_dispatch,
      hybrid_combine,
      // The transfer has DeepEP's costs; host_proxies.csv has those of posting messages.
      token_exchange(C::uccl_dispatch, "uccl_dispatch", deepep, C::dispatch, C::dispatch_forward),
      token_exchange(C::uccl_combine, "uccl_combine", deepep, C::combine, C::combine_forward),
  };
}

const std::vector<CollectiveRow>& rows() {
  static const std::vector<CollectiveRow> all = [] {
    std::vector<CollectiveRow> found = nccl_rows();
    for (CollectiveRow& row : token_exchange_rows())
      found.push_back(std::move(row));
    return found;
  }();
  return all;
}

constexpr std::size_t keys =
    enumerator_count<Pattern> * enumerator_count<Algorithm> * enumerator_count<Library>;
constexpr std::uint8_t no_row = 255;

/// A unique number below `keys` for each pattern, algorithm and library.
std::size_t key_of(Collective collective) {
  return (index(collective.pattern) * enumerator_count<Algorithm> + index(collective.algorithm)) *
             enumerator_count<Library> +
         index(collective.library);
}

} // namespace

std::span<const CollectiveRow> collective_rows() {
  return rows();
}

std::size_t row_index(Collective collective) {
  static const std::array<std::uint8_t, keys> indices = [] {
    std::array<std::uint8_t, keys> found{};
    found.fill(no_row);
    for (std::size_t row = 0; row < rows().size(); ++row)
      found[key_of(rows()[row].collective)] = static_cast<std::uint8_t>(row);
    return found;
  }();
  const std::uint8_t row = indices[key_of(collective)];
  INVARIANT(row != no_row, "no row for pattern {} algorithm {} library {}",
            static_cast<int>(collective.pattern), static_cast<int>(collective.algorithm),
            name_of(library_names, collective.library));
  return row;
}

const CollectiveRow& row_of(Collective collective) {
  return rows()[row_index(collective)];
}

bool is_ring(Collective collective) {
  switch (row_of(collective).flows) {
  case FlowShape::rings:
  case FlowShape::tree:
  case FlowShape::switch_sum:
    return true;
  case FlowShape::every_pair:
  case FlowShape::two_phases:
  case FlowShape::fan_out:
  case FlowShape::one_pair:
    return false;
  }
  INVARIANT(false, "flows of {}", collective_name(collective));
}

bool is_token_exchange(Collective collective) {
  return collective.pattern == Pattern::dispatch || collective.pattern == Pattern::combine;
}

Library costs_library(Library library) {
  const auto row = std::find_if(rows().begin(), rows().end(), [&](const CollectiveRow& one) {
    return is_token_exchange(one.collective) && one.collective.library == library;
  });
  INVARIANT(row != rows().end(), "library {}", name_of(library_names, library));
  return row->costs.library;
}

const std::string& collective_name(Collective collective) {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const CollectiveRow& row : rows())
      all.emplace_back(row.name);
    return all;
  }();
  return names[row_index(collective)];
}

const std::vector<std::string>& measured_collective_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const CollectiveRow& row : rows())
      if (row.costs == row.collective)
        all.emplace_back(row.name);
    return all;
  }();
  return names;
}

Collective collective_named(const std::string& name) {
  const auto found = std::find_if(rows().begin(), rows().end(),
                                  [&](const CollectiveRow& row) { return row.name == name; });
  INVARIANT(found != rows().end(), "collective {}", name);
  return found->collective;
}

double bus_factor(Collective collective, std::int64_t ranks) {
  const double passes = row_of(collective).passes;
  const auto n = static_cast<double>(ranks);
  return passes > 0.0 ? passes * (n - 1.0) / n : 1.0;
}

} // namespace moesim
