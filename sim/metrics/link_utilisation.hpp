#pragma once

#include "sim/replay/timeline.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace moesim {

/// The use of a class of links in one bin of the step. The links are those of the replay: with
/// folded ranks, one link represents all equivalent links of its stage.
struct LinkUtilisation {
  Seconds time;              ///< start of the bin
  std::string link_class;    ///< "NIC egress", …
  double mean_percent = 0.0; ///< share of the capacity, mean over the links of the class
  double max_percent = 0.0;  ///< share of the capacity of the busiest link
  std::string busiest_link;  ///< of equal links the first; empty if no link carries traffic
};

constexpr std::size_t utilisation_bins = 100;

/// Bytes that each link carries in each of `bins` equal parts of the step: first by link, in the
/// order of Timeline::links, then by bin. The bytes of a flow are spread evenly from its start to
/// its end. The replayed rate changes when another flow begins or ends on its links, so bins much
/// shorter than a flow are estimates. No byte is lost or counted twice.
std::vector<std::vector<double>> link_bytes(const Timeline& timeline, std::size_t bins);

/// The use of every class of links over the step, class after class, bin after bin. The spreading
/// of `link_bytes` may bring a bin of a full link above 100 percent.
std::vector<LinkUtilisation> link_utilisation(const Timeline& timeline,
                                              std::size_t bins = utilisation_bins);

} // namespace moesim
