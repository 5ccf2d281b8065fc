#pragma once

#include "sim/replay/timeline.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace moesim {

/// How a class of links was used in one bin of the step. The links are those of the replay: where
/// ranks are folded, one link stands for the like of its stage.
struct LinkUtilisation {
  Seconds time;              ///< when the bin begins
  std::string link_class;    ///< "NIC egress", …
  double mean_percent = 0.0; ///< of the capacity, over the links of the class
  double max_percent = 0.0;  ///< of the busiest link
  std::string busiest_link;  ///< of equals the first; empty if none carries anything
};

constexpr std::size_t utilisation_bins = 100;

/// What each link carries in each of `bins` equal parts of the step, in bytes: first by link, in
/// the order of Timeline::links, then by bin. The bytes of a flow are taken as spread evenly from
/// its start to its end. Its real rate changes whenever another flow begins or ends on its links,
/// so a bin much shorter than a flow is an estimate; no byte is lost or counted twice.
std::vector<std::vector<double>> link_bytes(const Timeline& timeline, std::size_t bins);

/// The use of every class of links over the step, class after class, bin after bin. The spreading
/// of `link_bytes` may bring a bin above 100 percent where a link is full.
std::vector<LinkUtilisation> link_utilisation(const Timeline& timeline,
                                              std::size_t bins = utilisation_bins);

} // namespace moesim
