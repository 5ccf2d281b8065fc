#pragma once

#include "sim/study/sweep.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A point of a sweep whose links the report shows over time.
struct ShownPoint {
  std::size_t row = 0;   ///< in the results, from 0
  std::string chosen_as; ///< "fastest", "least savings kept"
};

/// For each topology (for the whole sweep if it is no axis) the point with the least step time and
/// the one that keeps least of the saving; of equals the first. A point that is both is the
/// fastest.
std::vector<ShownPoint> choose_shown_points(const ReportTable& results);

/// Replays the shown points and writes `folder`/links.csv: the columns of link_table after `point`,
/// the number of the row in results.csv from 1, and `chosen_as`. The same results give the same
/// bytes. `results` is what run_sweep returned for the same plan and options.
ReportTable write_links(const SweepPlan& plan, const ReportTable& results,
                        const SweepOptions& options);

/// The links.csv of a folder; an empty table if there is none. Throws InputError if malformed.
ReportTable read_links(const std::filesystem::path& folder);

} // namespace moesim
