#pragma once

#include "sim/base/input_error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// One end of a cable, from the block of its device.
struct IbPort {
  int port = 0;
  std::string peer; ///< "S-…", "H-…" or "R-…"
  int peer_port = 0;
  double gbit_per_s = 0.0; ///< width × lane rate, one direction
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

/// The blocks of the output of `ibnetdiscover` (infiniband-diags), in their order. Every cable is
/// listed at both ends. Throws InputError, at the line, for a cable with one end and for a file of
/// another format.
class IbFabric {
public:
  static IbFabric read(const std::filesystem::path& file);
  const std::vector<IbDevice>& devices() const { return devices_; }
  /// Number of cables whose ends state different rates; the lower one counts.
  int uneven_cables() const { return uneven_cables_; }
  /// Number of SHARP aggregation nodes at a switch port that have no block.
  int missing_aggregation_nodes() const { return missing_aggregation_nodes_; }
  /// Number of lines in which the tool tells of parts that did not answer.
  int tool_errors() const { return tool_errors_; }
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
  int tool_errors_ = 0;
};

} // namespace moesim
