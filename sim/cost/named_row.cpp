#include "sim/cost/named_row.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace moesim {

void fail_unknown(const std::string& key, const NamedRow& row,
                  const std::vector<std::string>& known, const std::filesystem::path& table) {
  const std::string nearest = suggest_name(row.name, known);
  throw InputError(
      row.where.file.empty() ? InputLocation{table.string()} : row.where,
      fmt::format("{}: \"{}\" is not one of {}", key, row.name, fmt::join(known, ", ")),
      nearest.empty() ? fmt::format("another needs a row of {}", table.string()) : nearest);
}

} // namespace moesim
