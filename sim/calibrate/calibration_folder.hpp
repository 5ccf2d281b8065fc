#pragma once

#include <filesystem>
#include <vector>

namespace moesim {

/// Whether a file is a table of kernel times, by its name: "gemm.csv", "attention.csv",
/// "grouped_gemm.csv" and those of cuda_microbench.
bool is_kernel_table(const std::filesystem::path& path);

/// Makes `out` a folder that --calibration takes: the costs of `known`, and each of `tables` in the
/// folder of its device, which the table's own folder names. Tables of cuda_microbench, which have
/// `noise_percent`, go to the folder `measured` there. `out` may be `known`.
///
/// Throws InputError, before anything is written, for a table that is malformed or cut off, or a
/// time that is not positive; and if a file cannot be written.
void assemble_calibration(const std::filesystem::path& known,
                          const std::vector<std::filesystem::path>& tables,
                          const std::filesystem::path& out);

} // namespace moesim
