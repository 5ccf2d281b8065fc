#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// Throws the InputError that an asset of the report is missing, with the target that makes it.
[[noreturn]] void throw_missing_asset(const std::filesystem::path& asset);

/// The text of an asset. Throws InputError if it is missing.
std::string read_asset(const std::filesystem::path& file);

/// The template with each `{{name}}` replaced once; inserted text is not searched again. Throws
/// InputError, with the place, for a name that is no part.
std::string fill_template(const std::filesystem::path& file,
                          const std::map<std::string, std::string>& parts);

} // namespace moesim
