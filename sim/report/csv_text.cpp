#include "sim/report/csv_text.hpp"

namespace moesim {

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += i > 0 ? "," : "";
    if (cells[i].find_first_of(",\"\n\r") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (const char character : cells[i]) {
      line += character == '\n' || character == '\r' ? ' ' : character;
      if (character == '"')
        line += '"';
    }
    line += '"';
  }
  return line;
}

} // namespace moesim
