#pragma once

#include <string>
#include <string_view>

namespace moesim::microbench {

/// The text of `calibration/gpus.csv` that this program was built with.
std::string_view device_table();

/// Where the measurements of a GPU belong.
struct DeviceKind {
  std::string name;      ///< a kind that topology files use, or a slug of the driver's name
  bool is_known = false; ///< whether a row of the table names it
};

/// The kind of the GPU that the driver calls `driver_name`: the row of `table` one of whose
/// `driver_names` matches it without a leading "NVIDIA ". A name that matches none becomes a slug:
/// letters in lower case, a hyphen for the rest. Throws std::runtime_error for a table without the
/// columns `device` and `driver_names`.
DeviceKind device_kind(std::string_view driver_name, std::string_view table = device_table());

/// Why the times of this GPU say nothing of a kind, as for a MIG slice; empty if they do.
std::string refusal(std::string_view driver_name);

} // namespace moesim::microbench
