#pragma once

#include <filesystem>
#include <vector>

namespace moesim {

/// Opens a report in headless Chromium and writes each of its charts to `folder` as SVG and as PNG
/// of 2,400 pixels, named as in the report, and summary.pdf: the answer, its tables and the charts
/// that say most on one page of A4. Returns the files. The browser is MOESIM_BROWSER, or the first
/// of chromium, chromium-browser and google-chrome on the path. Throws InputError if there is none
/// or it fails.
std::vector<std::filesystem::path> export_report(const std::filesystem::path& report,
                                                 const std::filesystem::path& folder);

} // namespace moesim
