#pragma once

#include "sim/study/sweep.hpp"
#include "sim/study/sweep_links.hpp"

#include <vector>

namespace moesim {

/// The points whose loads of experts the report shows: those of which it shows the links and, where
/// `routing.step` is an axis, those that differ from them in the step alone. In the order of the
/// results, each once.
std::vector<ShownPoint> choose_load_points(const ReportTable& results,
                                           const std::vector<std::string>& axes);

/// Writes `folder`/loads.csv: `point` and `chosen_as` as in links.csv, then layer, expert and
/// `load_over_mean`, the tokens that the router wants for it over those of the mean expert, of all
/// micro-batches. Points with even loads have no rows; after 60,000 rows further points are left
/// out. `results` is what run_sweep returned for the same plan and options.
ReportTable write_loads(const SweepPlan& plan, const ReportTable& results,
                        const SweepOptions& options);

/// The loads.csv of a folder; an empty table if there is none. Throws InputError if malformed.
ReportTable read_loads(const std::filesystem::path& folder);

} // namespace moesim
