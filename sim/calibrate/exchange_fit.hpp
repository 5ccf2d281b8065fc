#pragma once

#include "sim/calibrate/measurement.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/cost/network_curve.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace moesim {

/// NCCL's all-to-alls of equal shares between the GPUs of one node, from `all_to_all.csv` in a
/// device's folder `measured`; other rows of it time no link. The links are those of the device's
/// row in devices.csv. Empty if the file is missing, or the row names no links. Throws InputError
/// for a malformed table.
std::vector<Measurement> read_exchanges(const std::filesystem::path& device_folder,
                                        const DeviceRow& device);

/// Fits the all-to-all of the measured interconnect to `exchanges`. Its other collectives are
/// scaled by the median ratio of measured to predicted time over rows of 1 MB and more, except
/// those that were measured themselves. Returns the curves; `known` if `exchanges` is empty.
std::vector<NetworkCurve> fit_exchanges(const std::vector<Measurement>& exchanges,
                                        const std::vector<NetworkCurve>& known,
                                        const std::set<Collective>& measured);

} // namespace moesim
