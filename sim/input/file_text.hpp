#pragma once

#include <filesystem>
#include <string>

namespace moesim {

/// The text of a file. Throws InputError, with the reason, if it cannot be read.
std::string read_file(const std::filesystem::path& path);

} // namespace moesim
