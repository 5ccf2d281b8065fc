#pragma once

#include <filesystem>

namespace moesim {

/// The folder of costs that ships.
inline const std::filesystem::path calibration_folder =
    std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration";

} // namespace moesim
