#pragma once

#include "sim/base/input_error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// The error of an output that the system refuses with `number` (an errno): its reason, and a hint
/// at what to do.
InputError cannot_be_written(const std::filesystem::path& path, int number);

/// Throws InputError if an output is one of the files that the command reads. `option` names it.
void expect_no_input(const std::string& option, const std::filesystem::path& output,
                     const std::vector<std::filesystem::path>& inputs);

/// Makes a folder for results and those above it. Throws InputError if it cannot be made.
void make_folder(const std::filesystem::path& folder);

/// Writes a file atomically: to a temporary file beside it, which reaches the disk and is then
/// renamed. A reader never sees an incomplete file, nor does one after a loss of power. Devices and
/// pipes are written in place. Throws InputError if it cannot be written.
void write_file(const std::filesystem::path& path, const std::string& text);

/// Writes all of a text to a descriptor. Returns the errno that stopped it, or 0.
int write_all(int descriptor, const std::string& text);

} // namespace moesim
