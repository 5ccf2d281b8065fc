#include "sim/importer/ib_fabric.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>

namespace moesim {

namespace {

[[noreturn]] void refuse(InputLocation where, int column, const std::string& message,
                         const std::string& hint = "") {
  where.column = column;
  throw InputError(where, message, hint);
}

/// Most bytes of a line; a port's has about 100.
constexpr std::size_t fabric_line_bytes_max = 2'000;

/// Whether a line is one of the tool's own errors about a part that did not answer, as in
/// `src/query_smp.c:195; umad (…) bad status 110; Connection timed out`.
bool is_tool_error(const std::string& line) {
  const std::size_t source = line.find(".c:");
  return line.starts_with("ibwarn:") || line.starts_with("ibpanic:") ||
         (source != std::string::npos && line.find(';') != std::string::npos &&
          line.find_first_of(" \t\"[") > source);
}

/// Gbit/s of one lane (InfiniBand Trade Association; NDR and XDR as sold, HDR likewise).
const std::map<std::string, double> lane_rates = {{"SDR", 2.5},     {"DDR", 5.0},  {"QDR", 10.0},
                                                  {"FDR", 14.0625}, {"EDR", 25.0}, {"HDR", 50.0},
                                                  {"NDR", 100.0},   {"XDR", 200.0}};

/// The rate of a link width and speed: "4xNDR" → 400 Gbit/s.
double rate_of(const InputLocation& where, const std::string& text, int column) {
  static const std::regex pattern(R"((\d{1,2})x([A-Z]+)\d{0,3})");
  std::smatch match;
  if (std::regex_match(text, match, pattern))
    if (const auto lane = lane_rates.find(match[2]); lane != lane_rates.end())
      return std::stod(match[1]) * lane->second;
  refuse(where, column, fmt::format("\"{}\" is no width and rate of a port", text), "as in 4xNDR");
}

int column_of(const std::smatch& match, std::size_t group) {
  return static_cast<int>(match.position(group)) + 1;
}

/// Throws InputError, with a hint, for the output of other tools.
void refuse_other_tools(const InputLocation& where) {
  const std::string& line = where.source_line;
  const std::string hint = "run ibnetdiscover on a node of the fabric";
  if (line.starts_with("CA '") || line.find("VM_hostname") != std::string::npos)
    refuse(where, 1, "this is not a fabric, but the adapters of single hosts (ibstat)", hint);
  if (line.find("==(") != std::string::npos || line.starts_with("CA:") ||
      line.starts_with("Switch:"))
    refuse(where, 1, "this is what iblinkinfo prints, which names no rate in a form to rely on",
           hint);
}

} // namespace

IbFabric IbFabric::read(const std::filesystem::path& file) {
  IbFabric fabric;
  std::istringstream stream(read_file(file));
  InputLocation where{.file = file.string(), .source_line = ""};
  while (std::getline(stream, where.source_line)) {
    ++where.line;
    if (where.source_line.size() > fabric_line_bytes_max)
      refuse({where.file, where.line, 1, where.source_line.substr(0, 80)}, 1,
             fmt::format("a line of more than {} bytes", fabric_line_bytes_max));
    if (!where.source_line.empty() && where.source_line.back() == '\r')
      where.source_line.pop_back();
    fabric.add_line(where);
  }
  if (fabric.devices_.empty())
    throw InputError({.file = file.string(), .source_line = ""},
                     "there is no switch and no adapter in this file",
                     "run ibnetdiscover on a node of the fabric");
  fabric.join_ends();
  return fabric;
}

void IbFabric::add_line(const InputLocation& where) {
  const std::string& line = where.source_line;
  const auto begins = [&](const char* word) { return line.starts_with(word); };
  if (line.find_first_not_of(" \t") == std::string::npos || begins("#"))
    return;
  for (const char* word : {"vendid=", "devid=", "sysimgguid=", "switchguid=", "caguid=", "rtguid=",
                           "Chassis", "Non-Chassis", "Spine", "Line", "DR path"})
    if (begins(word))
      return;
  if (is_tool_error(line)) {
    ++tool_errors_;
    return;
  }
  refuse_other_tools(where);
  if (begins("["))
    return add_port(where);
  if (begins("Switch"))
    return add_device(where, IbDevice::Kind::fabric_switch);
  if (begins("Ca"))
    return add_device(where, IbDevice::Kind::adapter);
  if (begins("Rt"))
    return add_device(where, IbDevice::Kind::router);
  refuse(where, 1, "this is no line of what ibnetdiscover prints");
}

void IbFabric::add_device(const InputLocation& where, IbDevice::Kind kind) {
  static const std::regex pattern(R"re(\w+\s+\d+\s+"([SHR]-[0-9a-fA-F]+)"\s*#\s*"([^"]*)".*)re");
  std::smatch match;
  if (!std::regex_match(where.source_line, match, pattern))
    refuse(where, 1, "a device needs its ports, its number and its description",
           "as in: Switch 64 \"S-…\" # \"leaf1\" base port 0 lid 1 lmc 0");
  if (by_id_.contains(match[1]))
    refuse(where, column_of(match, 1), fmt::format("{} has a block already", match[1].str()));
  by_id_[match[1]] = devices_.size();
  IbDevice device;
  device.kind = kind;
  device.id = match[1];
  device.description = match[2];
  device.where = where;
  devices_.push_back(device);
}

void IbFabric::add_port(const InputLocation& where) {
  // A line of a port: [port](guid) "peer"[its port](guid) # comment
  const std::string end = R"re(\[(\d{1,5})\](?:\([0-9a-fA-F]+\))?)re";
  static const std::regex pattern(end + R"re(\s+"([SHR]-[0-9a-fA-F]+)")re" + end +
                                  R"re(\s*#\s*(.*\S)\s*)re");
  static const std::regex rate_pattern(R"(\b(\d+x[A-Z]+\d*)\b(?=[^"]*$))");
  if (devices_.empty())
    refuse(where, 1, "a port stands before the first device");
  std::smatch match;
  if (!std::regex_match(where.source_line, match, pattern))
    refuse(where, 1, "a port needs its number, its peer and its rate",
           "as in: [1] \"H-…\"[1](…) # \"host mlx5_0\" lid 4 4xNDR");
  const std::string comment = match[4];
  std::smatch rate;
  if (!std::regex_search(comment, rate, rate_pattern))
    refuse(where, column_of(match, 4), "a port needs its width and rate", "as in 4xNDR");
  devices_.back().ports.push_back(
      {std::stoi(match[1]), match[2], std::stoi(match[3]),
       rate_of(where, rate[1], column_of(match, 4) + static_cast<int>(rate.position(1))), where});
}

void IbFabric::join_ends() {
  for (IbDevice& device : devices_)
    for (IbPort& port : device.ports) {
      const int column = static_cast<int>(port.where.source_line.find(port.peer)) + 1;
      const auto peer = by_id_.find(port.peer);
      // Some dumps lack the blocks of aggregation nodes, which are no hosts.
      if (peer == by_id_.end() &&
          port.where.source_line.find("Aggregation Node") != std::string::npos) {
        ++missing_aggregation_nodes_;
        continue;
      }
      if (peer == by_id_.end())
        refuse(port.where, column, fmt::format("{} has no block in this file", port.peer),
               "is the file whole?");
      auto& back = devices_[peer->second].ports;
      const auto other = std::find_if(
          back.begin(), back.end(), [&](const IbPort& end) { return end.port == port.peer_port; });
      if (other == back.end() || other->peer != device.id || other->peer_port != port.port)
        refuse(port.where, column,
               fmt::format("port {} of {} does not lead back here", port.peer_port, port.peer),
               "is the file whole?");
      if (other->gbit_per_s == port.gbit_per_s)
        continue;
      ++uneven_cables_;
      other->gbit_per_s = port.gbit_per_s = std::min(port.gbit_per_s, other->gbit_per_s);
    }
}

} // namespace moesim
