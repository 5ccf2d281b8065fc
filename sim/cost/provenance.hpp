#pragma once

#include "sim/input/csv_table.hpp"

#include <cstddef>

namespace moesim {

/// Throws InputError unless the cell of `row` in the column `provenance` is one of these:
/// - measured: a measurement of the quantity, or a mean of several
/// - fitted: the value that brings predictions nearest to measurements of other quantities
/// - published: a statement of its source
/// - datasheet: of the vendor
/// - assumption: none of these, with its reason
void check_provenance(const CsvTable& table, std::size_t row);

} // namespace moesim
