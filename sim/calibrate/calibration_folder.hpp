#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moesim {

/// Whether a file is a table of kernel times, by its name: "gemm.csv", "attention.csv",
/// "grouped_gemm.csv" and those of cuda_microbench.
bool is_kernel_table(const std::filesystem::path& path);

/// A given table, and its path in a calibration.
struct PlacedTable {
  std::filesystem::path from;
  std::string device;
  std::filesystem::path to; ///< relative to the calibration
};

/// Makes `out` a folder that --calibration takes: the costs of `known`, and each of `tables` in the
/// folder of its device, which the table's own folder names. Tables of cuda_microbench go to the
/// folder `measured` there: by their name, or as they have `noise_percent`. Returns the paths of
/// `tables`.
///
/// Throws InputError, before anything is written, for a table that is malformed or cut off, or a
/// time that is not positive; and if a file cannot be written.
std::vector<PlacedTable> assemble_calibration(const std::filesystem::path& known,
                                              const std::vector<std::filesystem::path>& tables,
                                              const std::filesystem::path& out);

/// Copies all files of a calibration into the folder `to`, over those that are there. Throws
/// InputError if a file cannot be written.
void copy_calibration(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace moesim
