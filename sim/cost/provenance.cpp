#include "sim/cost/provenance.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

namespace moesim {

void check_provenance(const CsvTable& table, std::size_t row) {
  const std::size_t column = table.column("provenance");
  const std::string& provenance = table.text(row, column);
  const std::vector<std::string> known = {"measured", "fitted", "published", "datasheet",
                                          "assumption"};
  if (std::find(known.begin(), known.end(), provenance) == known.end())
    throw InputError(
        table.where(row, column),
        fmt::format("provenance: \"{}\" is not one of {}", provenance, fmt::join(known, ", ")),
        suggest_name(provenance, known));
}

} // namespace moesim
