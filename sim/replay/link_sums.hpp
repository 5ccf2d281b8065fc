#pragma once

#include "sim/platform/topology.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace moesim {

/// One term of a link's load: a flow, and the share of its bytes on the link.
struct LinkTerm {
  LinkId link{};
  std::uint32_t flow = 0; ///< number of the flow, from 0
  double share = 1.0;
};

/// A link and its load.
struct BusyLink {
  LinkId link{};
  double bytes = 0.0;
  double amount = 0.0; ///< bytes divided by efficiency: amount / capacity is the time
};

/// The loads of links as sums over numbered flows, prepared once for all values of the flows. Links
/// of one kind and capacity with the same terms are a class, represented by its first link. Links
/// of several kinds with the same terms share one sum.
class LinkSums {
public:
  /// Sums are in the order of `terms`.
  LinkSums(const Topology& topology, const std::vector<LinkTerm>& terms);

  /// For each kind of link with a load, in the order of kinds, the link that takes longest to carry
  /// `amounts`; of equal ones, the first. Both arguments are by flow.
  std::vector<BusyLink> busiest(const std::vector<double>& bytes,
                                const std::vector<double>& amounts) const;

  /// Shares the memory of another object with the same sums, for other links; false if the sums
  /// differ.
  bool share_rows(const LinkSums& other);

private:
  /// The terms of all sums, one sum after the other.
  struct Rows {
    std::vector<std::uint32_t> ends; ///< by sum: index after its last term
    std::vector<std::uint32_t> flows;
    std::vector<double> shares;

    bool operator==(const Rows&) const = default;
    double sum(std::size_t row, const std::vector<double>& carried) const;
  };
  struct LinkClass {
    LinkId link{};
    LinkKind kind{};
    BytesPerSecond capacity;
    std::uint32_t row = 0;
  };

  std::shared_ptr<const Rows> rows_;
  std::vector<LinkClass> classes_; ///< in the order of their links
};

} // namespace moesim
