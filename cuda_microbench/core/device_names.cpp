#include "cuda_microbench/core/device_names.hpp"

#include "device_table.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace moesim::microbench {

namespace {

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(part);
  return parts;
}

/// Whether `pattern`, in which `*` stands for any text, is all of `name`.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty())
    return name.empty();
  if (pattern.front() != '*')
    return !name.empty() && pattern.front() == name.front() &&
           matches(pattern.substr(1), name.substr(1));
  for (std::size_t skipped = 0; skipped <= name.size(); ++skipped)
    if (matches(pattern.substr(1), name.substr(skipped)))
      return true;
  return false;
}

std::size_t column_of(const std::vector<std::string>& header, const std::string& name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end())
    throw std::runtime_error("the table of GPUs has no column " + name);
  return static_cast<std::size_t>(found - header.begin());
}

std::string slug_of(std::string_view name) {
  std::string slug;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0)
      slug += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  while (!slug.empty() && slug.back() == '-')
    slug.pop_back();
  return slug;
}

} // namespace

std::string_view device_table() {
  return device_table_text;
}

// The cells up to `driver_names` hold no quotes: a row is split at its commas.
DeviceKind device_kind(std::string_view driver_name, std::string_view table) {
  constexpr std::string_view maker = "NVIDIA ";
  if (driver_name.starts_with(maker))
    driver_name.remove_prefix(maker.size());
  std::vector<std::string> header;
  for (const std::string& line : split_at(std::string(table), '\n')) {
    if (line.empty() || line.front() == '#')
      continue;
    const std::vector<std::string> cells = split_at(line, ',');
    if (header.empty()) {
      header = cells;
      continue;
    }
    const std::size_t names = column_of(header, "driver_names");
    if (names < cells.size())
      for (const std::string& pattern : split_at(cells[names], ';'))
        if (matches(pattern, driver_name))
          return {cells[column_of(header, "device")], true};
  }
  return {slug_of(driver_name), false};
}

std::string refusal(std::string_view driver_name) {
  if (driver_name.find(" MIG ") == std::string_view::npos)
    return "";
  return std::string(driver_name) +
         " is a MIG slice: its SMs, cache and bandwidth are a part of the GPU's. Measure a whole "
         "GPU";
}

} // namespace moesim::microbench
