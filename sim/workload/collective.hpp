#pragma once

#include "sim/base/enumeration.hpp"

#include <array>
#include <compare>
#include <cstdint>

namespace moesim {

/// The two kinds of network of a GPU cluster: inside a scale-up domain and between them.
enum class Tier {
  scale_up, ///< NVLink, or PCIe
  scale_out ///< InfiniBand, RoCE or EFA
};

/// The data that the ranks of a group exchange.
enum class Pattern : std::uint8_t {
  all_to_all,     ///< each rank has a message for each peer
  all_gather,     ///< each rank ends with the parts of all
  reduce_scatter, ///< each rank ends with its part of the sum
  all_reduce,     ///< each rank ends with the sum
  point_to_point, ///< one sender, one receiver: pipeline stages
  dispatch,       ///< tokens to their experts
  combine         ///< the experts' results back, summed by token
};

/// The way that the bytes of a pattern take.
enum class Algorithm : std::uint8_t {
  direct,       ///< from each rank to each peer
  two_phase,    ///< within the scale-up domain, then between domains: 2D all-to-all
  ring,         ///< from neighbour to neighbour, (n − 1) steps, twice for an all-reduce
  tree,         ///< up and down a tree of the domains, a chain inside each
  in_switch,    ///< sums made in the NVLink switches of a domain, a tree between domains
  node_limited, ///< a token once to each domain, or rank, that wants it
  forwarding    ///< the part of a node-limited exchange between domains that crosses NVLink
};

/// The library whose kernels move the bytes.
enum class Library : std::uint8_t {
  nccl,
  deepep,   ///< deepseek-ai/DeepEP; over EFA its port to NVSHMEM over libfabric
  hybridep, ///< DeepEP's branch hybrid-ep
  uccl_ep   ///< uccl-project/uccl: DeepEP's calls, messages posted by threads of the host
};

/// The names in tables.
inline constexpr auto library_names =
    std::to_array<Named<Library>>({{Library::nccl, "nccl"},
                                   {Library::deepep, "deepep"},
                                   {Library::hybridep, "hybridep"},
                                   {Library::uccl_ep, "uccl-ep"}});
static_assert(names_each(library_names));

/// Names, in scenarios, of the libraries that run node-limited dispatches and combines.
inline constexpr auto dispatch_library_names = std::to_array<Named<Library>>(
    {{Library::deepep, "deepep"}, {Library::hybridep, "hybridep"}, {Library::uccl_ep, "uccl-ep"}});

/// A kind of communication: a pattern, carried by an algorithm of a library. Each kind that the
/// simulator knows has a name below and one row in `cost/collective_table.cpp`.
struct Collective {
  Pattern pattern;
  Algorithm algorithm;
  Library library;

  constexpr auto operator<=>(const Collective&) const = default;

  static const Collective all_to_all;
  static const Collective two_phase_all_to_all;
  static const Collective all_gather;
  static const Collective reduce_scatter;
  static const Collective all_reduce; ///< by rings
  static const Collective all_reduce_tree;
  static const Collective all_reduce_in_switch;
  static const Collective point_to_point;
  static const Collective dispatch; ///< DeepEP's
  static const Collective combine;
  static const Collective dispatch_forward;
  static const Collective combine_forward;
  static const Collective hybrid_dispatch;
  static const Collective hybrid_combine;
  static const Collective uccl_dispatch;
  static const Collective uccl_combine;
};

inline constexpr Collective Collective::all_to_all{Pattern::all_to_all, Algorithm::direct,
                                                   Library::nccl};
inline constexpr Collective Collective::two_phase_all_to_all{Pattern::all_to_all,
                                                             Algorithm::two_phase, Library::nccl};
inline constexpr Collective Collective::all_gather{Pattern::all_gather, Algorithm::ring,
                                                   Library::nccl};
inline constexpr Collective Collective::reduce_scatter{Pattern::reduce_scatter, Algorithm::ring,
                                                       Library::nccl};
inline constexpr Collective Collective::all_reduce{Pattern::all_reduce, Algorithm::ring,
                                                   Library::nccl};
inline constexpr Collective Collective::all_reduce_tree{Pattern::all_reduce, Algorithm::tree,
                                                        Library::nccl};
inline constexpr Collective Collective::all_reduce_in_switch{Pattern::all_reduce,
                                                             Algorithm::in_switch, Library::nccl};
inline constexpr Collective Collective::point_to_point{Pattern::point_to_point, Algorithm::direct,
                                                       Library::nccl};
inline constexpr Collective Collective::dispatch{Pattern::dispatch, Algorithm::node_limited,
                                                 Library::deepep};
inline constexpr Collective Collective::combine{Pattern::combine, Algorithm::node_limited,
                                                Library::deepep};
inline constexpr Collective Collective::dispatch_forward{Pattern::dispatch, Algorithm::forwarding,
                                                         Library::deepep};
inline constexpr Collective Collective::combine_forward{Pattern::combine, Algorithm::forwarding,
                                                        Library::deepep};
inline constexpr Collective Collective::hybrid_dispatch{Pattern::dispatch, Algorithm::node_limited,
                                                        Library::hybridep};
inline constexpr Collective Collective::hybrid_combine{Pattern::combine, Algorithm::node_limited,
                                                       Library::hybridep};
inline constexpr Collective Collective::uccl_dispatch{Pattern::dispatch, Algorithm::node_limited,
                                                      Library::uccl_ep};
inline constexpr Collective Collective::uccl_combine{Pattern::combine, Algorithm::node_limited,
                                                     Library::uccl_ep};

} // namespace moesim
