#pragma once

#include "sim/cost/compute_errors.hpp"

#include <filesystem>
#include <vector>

namespace moesim {

/// How far the kernel tables of every device folder below `calibration` are off where they were not
/// measured: each measured time is predicted from the others, as ErrorCase says. "gemm", "expert"
/// and "attention" of each device, then what tables of one kind say of another, by table, for every
/// device with a table and a row in `devices.csv` that borrows: the first of those that it names.
///
/// A case that no row of a device can test, as with one point, has 0 rows and the largest 90 %
/// error that any case of that table has; 100 % if none has. Throws InputError as the readers of
/// tables do.
std::vector<TableError> table_errors(const std::filesystem::path& calibration);

} // namespace moesim
