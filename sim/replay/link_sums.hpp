#pragma once

#include "sim/platform/topology.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace moesim {

/// That a flow loads a link with a share of what it carries.
struct LinkTerm {
  LinkId link{};
  std::uint32_t flow = 0; ///< its number, from 0
  double share = 1.0;
};

/// A link and its load.
struct BusyLink {
  LinkId link{};
  double bytes = 0.0;
  double amount = 0.0; ///< bytes over efficiency: what takes its time at full capacity
};

/// How numbered flows add up to the loads of links, worked out once for all that they may carry.
/// Links of one kind and capacity that the same flows load alike are a class, which its first link
/// stands for; links of several kinds that the same flows load alike are added up once.
class LinkSums {
public:
  /// Loads add up in the order of `terms`.
  LinkSums(const Topology& topology, const std::vector<LinkTerm>& terms);

  /// Of each kind of link that is loaded, in the order of kinds, the one that takes longest to
  /// carry `amounts`, the first of several; both by flow.
  std::vector<BusyLink> busiest(const std::vector<double>& bytes,
                                const std::vector<double>& amounts) const;

  /// Takes the memory of another that adds up the same flows, for other links; false if it does
  /// not.
  bool share_rows(const LinkSums& other);

private:
  /// What is added up, sum by sum.
  struct Rows {
    std::vector<std::uint32_t> ends; ///< by sum: where its terms end and those of the next begin
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
