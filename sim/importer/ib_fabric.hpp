#pragma once

#include "sim/base/input_error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// One end of a cable as a device's block lists it.
struct IbPort {
  int port = 0;
  std::string peer; ///< "S-…", "H-…" or "R-…"
  int peer_port = 0;
  double gbit_per_s = 0.0; ///< width times lane rate, one direction
  InputLocation where;
};

/// A switch, a channel adapter or a router of an InfiniBand fabric.
struct IbDevice {
  enum class Kind { fabric_switch, adapter, router };
  Kind kind = Kind::adapter;
  std::string id; ///< "S-2c5eab0300b87b40"
  std::string description;
  std::vector<IbPort> ports; ///< those with a cable
  InputLocation where;
};

/// The blocks of what `ibnetdiscover` prints (infiniband-diags), in their order. Every cable is
/// listed at both ends; where one end is missing, and for everything that is not such a file,
/// throws InputError at the line.
class IbFabric {
public:
  static IbFabric read(const std::filesystem::path& file);
  const std::vector<IbDevice>& devices() const { return devices_; }
  /// Cables whose ends name two rates: the lower is taken.
  int uneven_cables() const { return uneven_cables_; }
  /// SHARP aggregation nodes that stand at a switch port but have no block.
  int missing_aggregation_nodes() const { return missing_aggregation_nodes_; }
  const IbDevice& device(const std::string& id) const { return devices_[by_id_.at(id)]; }

private:
  void add_line(const InputLocation& where);
  void add_device(const InputLocation& where, IbDevice::Kind kind);
  void add_port(const InputLocation& where);
  void join_ends();

  std::vector<IbDevice> devices_;
  std::map<std::string, std::size_t> by_id_;
  int uneven_cables_ = 0;
  int missing_aggregation_nodes_ = 0;
};

} // namespace moesim
