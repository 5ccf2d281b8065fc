#pragma once

#include "sim/cost/compute_errors.hpp"

#include <filesystem>
#include <vector>

namespace moesim {

/// Errors of the kernel tables of every device folder below `calibration` outside their
/// measurements: each measured time is predicted from others, see ErrorCase. First the tables
/// "gemm", "expert" and "attention" of each device, then `other_device` by table. The latter
/// predicts each device with tables of its own from the first kind that its row in `gpus.csv`
/// borrows from.
///
/// A case that no row of a device can test has 0 rows and the largest 90 % error of any case of the
/// table; 100 % without one. Throws the errors of the readers of tables.
std::vector<TableError> table_errors(const std::filesystem::path& calibration);

} // namespace moesim
