#pragma once

#include <filesystem>
#include <string>

namespace moesim {

/// Writes a file atomically: to a temporary file beside it, which is then renamed, so that a reader
/// never sees an incomplete file. Throws InputError if it cannot be written.
void write_file(const std::filesystem::path& path, const std::string& text);

} // namespace moesim
