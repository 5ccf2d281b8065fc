#pragma once

#include "sim/importer/imported_topology.hpp"

#include <filesystem>
#include <string>

namespace moesim {

/// A comment of one line; control characters become blanks.
std::string comment_text(const std::string& text);

/// A table as TOML, with the origin of every value in a comment after it. A value without a key is
/// a separate comment.
std::string text_of(const ImportedTable& table);

/// Writes a file. Throws InputError if it cannot be written; the hint names `example`, for a user
/// who gave a folder.
void write_text(const std::filesystem::path& file, const std::string& text,
                const std::string& example);

} // namespace moesim
