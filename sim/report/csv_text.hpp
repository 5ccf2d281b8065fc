#pragma once

#include <string>
#include <vector>

namespace moesim {

/// One line of CSV, without its end: cells with a comma, a quote or a line break are quoted (a line
/// break becomes a space: a row is a line).
std::string csv_line(const std::vector<std::string>& cells);

} // namespace moesim
