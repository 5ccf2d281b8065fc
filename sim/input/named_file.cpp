#include "sim/input/named_file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The remedy for a file that cannot be read; empty if it can.
std::string hint_for(const fs::path& file) {
  std::error_code error; // the error that is being reported says why
  if (fs::is_directory(file, error))
    return "name a file in that folder";
  if (fs::exists(file, error))
    return "";
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  const std::string nearest = suggest_name(file.filename().string(), names);
  return nearest.empty() ? "a path is relative to the folder of the file that names it" : nearest;
}

} // namespace

void point_at_name(const TomlTable& table, const std::string& key, const fs::path& file,
                   InputError& error) {
  if (!table.owns(error.where()))
    error.add_naming(table.where(key), hint_for(file));
}

} // namespace moesim
