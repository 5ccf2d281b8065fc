#pragma once

#include "sim/importer/imported_topology.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// A table as TOML writes it, the origin of every value in a comment behind it. A value without a
/// key is a comment of its own.
std::string text_of(const ImportedTable& table);

/// Throws InputError if the file cannot be written; `example` names one that could be, for a user
/// who named a folder.
void write_text(const std::filesystem::path& file, const std::string& text,
                const std::string& example);

} // namespace moesim
