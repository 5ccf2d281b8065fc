#include "sim/importer/ib_fabric.hpp"
#include "sim/importer/imported_topology.hpp"

#include <fmt/format.h>

#include <string.h>

#include <algorithm>

namespace moesim {

namespace {

constexpr double nic_latency_us = 0.6;
constexpr double switch_latency_us = 0.25;
constexpr double scale_up_latency_us = 0.25;
constexpr double pcie4_gbyte_per_s = 31.5;
constexpr double pcie5_gbyte_per_s = 63.0;
constexpr int ada = 89; ///< the last generation with PCIe 4

/// Orders names with digits as numbers: "node2" before "node10".
bool natural_less(const std::string& a, const std::string& b) {
  return strverscmp(a.c_str(), b.c_str()) < 0;
}

/// The name without characters that a table cannot hold.
std::string plain(std::string name) {
  std::replace(name.begin(), name.end(), ',', ' ');
  return name;
}

class FabricImport {
public:
  FabricImport(const IbFabric& fabric, const GpuFacts& gpu) : fabric_(fabric), gpu_(gpu) {}

  ImportedGraph build() {
    for (const IbDevice& device : fabric_.devices())
      place(device);
    std::vector<std::string> names;
    for (const auto& [host, adapters] : hosts_)
      names.push_back(host);
    sort_hosts(names);
    for (const std::string& host : names)
      add_host(host);
    for (const IbDevice& device : fabric_.devices())
      add_cables(device);
    return std::move(graph_);
  }

  std::size_t hosts() const { return hosts_.size(); }
  int aggregation_nodes() const { return aggregation_nodes_; }
  int nameless() const { return nameless_; }
  int adapters() const { return adapters_; }
  int switches() const { return switches_; }
  int unconnected() const { return unconnected_; }

private:
  void place(const IbDevice& device) {
    if (device.kind != IbDevice::Kind::adapter) {
      ++switches_;
      name_switch(device);
      return;
    }
    if (device.description.find("Aggregation Node") != std::string::npos) {
      ++aggregation_nodes_;
      return;
    }
    if (device.ports.empty()) {
      ++unconnected_;
      return;
    }
    ++adapters_;
    std::string host = device.description.substr(0, device.description.find(' '));
    // "MT4129 ConnectX7   Mellanox Technologies": a chip, no host.
    if (host.empty() || (host.starts_with("MT") && device.description.ends_with("Technologies"))) {
      ++nameless_;
      host = device.id;
    }
    hosts_[plain(host)].push_back(device.id);
  }

  /// Sorts hosts: first those with the most frequent number of adapters, which are the compute
  /// nodes for a job's first ranks, then by name.
  void sort_hosts(std::vector<std::string>& names) const {
    std::map<std::size_t, int> hosts_by_size;
    for (const auto& [host, adapters] : hosts_)
      hosts_by_size[adapters.size()] += static_cast<int>(adapters.size());
    const auto usual =
        std::max_element(hosts_by_size.begin(), hosts_by_size.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
      const bool a_usual = hosts_.at(a).size() == usual->first;
      const bool b_usual = hosts_.at(b).size() == usual->first;
      return a_usual != b_usual ? a_usual : natural_less(a, b);
    });
  }

  void name_switch(const IbDevice& device) {
    std::string name = plain(device.description);
    if (name.empty() || used_.contains(name))
      name += (name.empty() ? "" : " ") + device.id;
    used_[name] = true;
    names_[device.id] = name;
    graph_.vertices.push_back({name, "switch", ""});
  }

  void add_host(const std::string& host) {
    const std::string hub = host + ".ScaleUpSwitch";
    graph_.vertices.push_back({hub, "scale_up_switch", ""});
    const bool pcie4 = gpu_.compute_capability > 0 && gpu_.compute_capability <= ada;
    const double pcie = pcie4 ? pcie4_gbyte_per_s : pcie5_gbyte_per_s;
    const double scale_up = gpu_.scale_up_gbyte_per_s;
    int number = 0;
    for (const std::string& id : hosts_.at(host)) {
      const std::string gpu = fmt::format("{}.Gpu[{}]", host, number);
      const std::string nic = fmt::format("{}.Nic[{}]", host, number++);
      graph_.vertices.push_back({gpu, "gpu", host});
      graph_.vertices.push_back({nic, "nic", host});
      names_[id] = nic;
      graph_.cables.push_back({gpu, hub, "scale_up", scale_up, scale_up_latency_us});
      graph_.cables.push_back({gpu, nic, "pcie", pcie, 0.0});
    }
  }

  void add_cables(const IbDevice& device) {
    for (const IbPort& port : device.ports) {
      const bool known = names_.contains(device.id) && names_.contains(port.peer);
      // Each cable is listed at both ends: take one.
      if (!known || std::pair(port.peer, port.peer_port) < std::pair(device.id, port.port))
        continue;
      const bool to_adapter = device.kind == IbDevice::Kind::adapter ||
                              fabric_.device(port.peer).kind == IbDevice::Kind::adapter;
      graph_.cables.push_back({names_[device.id], names_[port.peer], to_adapter ? "nic" : "fabric",
                               port.gbit_per_s / 8.0,
                               to_adapter ? nic_latency_us : switch_latency_us});
    }
  }

  const IbFabric& fabric_;
  const GpuFacts& gpu_;
  ImportedGraph graph_;
  std::map<std::string, std::vector<std::string>> hosts_; ///< adapters by host, in their order
  std::map<std::string, std::string> names_;              ///< names of vertices, by device
  std::map<std::string, bool> used_;
  int aggregation_nodes_ = 0;
  int nameless_ = 0;
  int adapters_ = 0;
  int switches_ = 0;
  int unconnected_ = 0;
};

std::vector<std::string> remarks_of(const FabricImport& import, const GpuFacts& gpu) {
  std::vector<std::string> remarks = {fmt::format(
      "{} hosts with {} adapters, {} switches and routers; ranks sit first on the hosts with the "
      "usual number of adapters, in the order of their names",
      import.hosts(), import.adapters(), import.switches())};
  remarks.push_back(fmt::format(
      "not in the file, assumed: one {} GPU an adapter, one scale-up switch a host, latencies of "
      "{} us (adapter), {} us (switch to switch) and {} us (scale-up)",
      gpu.kind, nic_latency_us, switch_latency_us, scale_up_latency_us));
  if (import.aggregation_nodes() > 0)
    remarks.push_back(fmt::format("left out: {} SHARP aggregation nodes, which are no hosts",
                                  import.aggregation_nodes()));
  if (import.nameless() > 0)
    remarks.push_back(fmt::format("{} adapters do not tell their host: each is a host of its own",
                                  import.nameless()));
  if (import.unconnected() > 0)
    remarks.push_back(fmt::format("left out: {} adapters without a cable", import.unconnected()));
  return remarks;
}

} // namespace

ImportedTopology read_ibnetdiscover(const std::filesystem::path& file,
                                    const ImportOptions& options) {
  const IbFabric fabric = IbFabric::read(file);
  const GpuFacts& gpu = gpu_facts(options.gpu_kind.empty() ? "h100-sxm" : options.gpu_kind);
  FabricImport import(fabric, gpu);
  ImportedTopology topology;
  topology.graph = import.build();
  if (import.adapters() == 0)
    throw InputError(fabric.devices().front().where,
                     "no adapter of this file has a cable: there is no fabric to import",
                     "was ibnetdiscover run on a node that sees the fabric?");
  topology.remarks = remarks_of(import, gpu);
  if (fabric.missing_aggregation_nodes() > 0)
    topology.remarks.push_back(fmt::format("left out: {} SHARP aggregation nodes without a block",
                                           fabric.missing_aggregation_nodes()));
  if (fabric.tool_errors() > 0)
    topology.remarks.push_back(
        fmt::format("left out: {} lines of errors of ibnetdiscover itself: parts of the fabric did "
                    "not answer and may be missing",
                    fabric.tool_errors()));
  if (fabric.uneven_cables() > 0)
    topology.remarks.push_back(fmt::format(
        "{} cables name two rates at their ends: the lower is taken", fabric.uneven_cables()));
  topology.tables.push_back(
      gpu_table(gpu, ValueOrigin::assumed,
                options.gpu_kind.empty() ? "give --gpu for another" : "given by --gpu"));
  topology.tables.push_back(
      {"node",
       {{"scale_up", fmt::format("\"{}\"", gpu.scale_up_interconnect), ValueOrigin::assumed,
         "as the GPU kind has it"},
        {"nic", "\"infiniband\"", ValueOrigin::derived, "ibnetdiscover sees nothing else"},
        host_beside(gpu)}});
  topology.tables.push_back(
      {"fabric", {{"kind", "\"explicit\"", ValueOrigin::derived, "cable by cable"}}});
  return topology;
}

} // namespace moesim
