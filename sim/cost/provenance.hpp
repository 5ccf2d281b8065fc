#pragma once

#include "sim/input/csv_table.hpp"

#include <cstddef>

namespace moesim {

/// Throws InputError unless the cell of `row` in the column `provenance` is one of measured,
/// published, datasheet and assumption.
void check_provenance(const CsvTable& table, std::size_t row);

} // namespace moesim
