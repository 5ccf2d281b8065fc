#pragma once

#include <string>
#include <vector>

namespace moesim {

/// One line of CSV, without its end: cells with a comma, a quote or a line break are quoted. A line
/// break becomes a space, so that a row is a line.
std::string csv_line(const std::vector<std::string>& cells);

} // namespace moesim
