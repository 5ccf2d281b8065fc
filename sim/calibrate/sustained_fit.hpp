#pragma once

#include <filesystem>
#include <string>

namespace moesim {

/// Puts the ratio of cold to hot time of a device's large GEMMs, from `sustained.csv` in its folder
/// `measured`, into its row of the calibration's sustained_throughput.csv: the median by precision.
/// bf16 gives `bf16_gemm_ratio`, fp8 `ratio`; what was not measured keeps its value. Does nothing
/// without the file. Throws InputError for a malformed table, and for a shape without both states.
void fit_sustained(const std::filesystem::path& calibration, const std::string& device);

} // namespace moesim
