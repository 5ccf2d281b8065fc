#pragma once

#include <filesystem>
#include <string>

namespace moesim {

/// Writes a file whole: beside its place first, then renamed, so that a reader never sees half of
/// it. Throws InputError if it cannot be written.
void write_file(const std::filesystem::path& path, const std::string& text);

} // namespace moesim
