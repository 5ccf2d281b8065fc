#pragma once

#include "sim/input/toml_document.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// Lets an error about `file`, or about a file that it names, point at the key that names `file`:
/// see InputError::add_naming. An error at the table's own document stays as it is. The hint for a
/// missing file is the nearest name in its folder.
void point_at_name(const TomlTable& table, const std::string& key,
                   const std::filesystem::path& file, InputError& error);

/// Returns `read(file)` for the file that a key names. Its InputErrors point at the key.
template <typename Read>
auto read_named(const TomlTable& table, const std::string& key, const std::filesystem::path& file,
                const Read& read) {
  try {
    return read(file);
  } catch (InputError& error) {
    point_at_name(table, key, file, error);
    throw;
  }
}

} // namespace moesim
