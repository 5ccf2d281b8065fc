#include "sim/importer/imported_topology.hpp"
#include "sim/importer/nccl_devices.hpp"
#include "sim/importer/nccl_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

struct ScaleUp {
  std::string medium;
  double gbyte_per_s = 0.0; ///< of one GPU, one direction
  ValueOrigin origin = ValueOrigin::derived;
  std::string note;
  bool in_switch_reduction = false;
};

ImportedValue value(const std::string& key, double number, ValueOrigin origin,
                    const std::string& note) {
  return {key, fmt::format("{:.6g}", number), origin, note};
}
ImportedValue value(const std::string& key, const std::string& text, ValueOrigin origin,
                    const std::string& note) {
  return {key, fmt::format("\"{}\"", text), origin, note};
}

/// GPUs of a host. Throws InputError if the hosts differ.
int gpus_of_host(const NcclSystem& system) {
  std::map<std::string, int> counts;
  for (const NcclGpu& gpu : system.gpus)
    ++counts[gpu.host];
  const int gpus = counts[system.gpus.front().host];
  for (const NcclGpu& gpu : system.gpus)
    if (counts[gpu.host] != gpus)
      gpu.element->fail(fmt::format("this GPU's host has {} GPUs, the first host has {}; a "
                                    "topology has nodes of one size",
                                    counts[gpu.host], gpus));
  return gpus;
}

/// One link of AMD's GPUs in GB/s, from src/graph/topo.h of ROCm/rccl.
double xgmi_gbyte_per_s(int architecture) {
  return architecture >= 940 ? 48.0 : architecture >= 910 ? 36.0 : 24.0;
}

/// NVLink SHARP came with Hopper; the H800's has none (NVIDIA/nccl#892 prints no NVLS channels).
bool switch_reduces(const GpuFacts& facts) {
  return facts.compute_capability >= 90 && facts.kind != "h800-sxm" && facts.nvlinks > 0;
}

ScaleUp over_links(const NcclGpu& gpu, const GpuFacts& facts, int links) {
  if (gpu.amd) {
    const double rate = xgmi_gbyte_per_s(gpu.amd_architecture);
    return {facts.scale_up_medium, links * rate, ValueOrigin::derived,
            fmt::format("{} xGMI links of {} GB/s to single GPUs; one pair has less", links, rate),
            false};
  }
  if (facts.nvlinks == 0)
    gpu.element->fail(fmt::format("the GPUs of this file have NVLink, and {} has none", facts.kind),
                      "name another kind with --gpu");
  return {facts.scale_up_medium, links * facts.nvlink_gbyte_per_s, ValueOrigin::derived,
          fmt::format("{} NVLinks of {} GB/s", links, facts.nvlink_gbyte_per_s),
          gpu.on_nvswitch && switch_reduces(facts)};
}

ScaleUp scale_up_of(const NcclSystem& system, const GpuFacts& facts, double pcie_gbyte_per_s,
                    std::vector<std::string>& remarks) {
  if (!system.is_dump && facts.nvlinks > 0) {
    remarks.push_back("the file is a hint, without NVLink and port speeds, not a dump");
    return {facts.scale_up_medium, facts.nvlinks * facts.nvlink_gbyte_per_s, ValueOrigin::assumed,
            fmt::format("{} NVLinks of {} GB/s, as the GPU has", facts.nvlinks,
                        facts.nvlink_gbyte_per_s),
            switch_reduces(facts)};
  }
  const int links = links_of_gpu(system, remarks);
  if (links > 0 && links_join_all(system))
    return over_links(system.gpus.front(), facts, links);
  if (links > 0)
    remarks.push_back("the links join groups of GPUs, not all of a node: PCIe, which joins all, is "
                      "taken for the scale-up network");
  return {"pcie", pcie_gbyte_per_s, ValueOrigin::derived, "PCIe link_speed x link_width", false};
}

void add_nics(const NcclNics& nics, double pcie_gbyte_per_s, ImportedTable& node) {
  const auto assumed = ValueOrigin::assumed;
  node.values.push_back(value("nics", nics.count, nics.count_origin, nics.count_note));
  if (nics.count == 0)
    return;
  node.values.push_back(value("nic", nics.medium, ValueOrigin::derived,
                              nics.medium == "roce" ? "Ethernet by PCI class, taken as RoCE"
                                                    : "by PCI class and vendor"));
  node.values.push_back(
      value("nic_gbit_per_s", nics.gbit_per_s, nics.speed_origin, nics.speed_note));
  node.values.push_back(value("nic_latency_us", nics.medium == "infiniband" ? 0.6 : 1.0, assumed,
                              "as in the topologies that ship"));
  node.values.push_back(value("pcie_gbyte_per_s", pcie_gbyte_per_s, ValueOrigin::derived,
                              "link_speed x link_width, with NCCL's rate of a lane"));
}

ImportedTable node_table(const ScaleUp& scale_up, int gpus, int domain) {
  const bool pcie = scale_up.medium == "pcie";
  ImportedTable node{"node", {value("gpus", gpus, ValueOrigin::read, "")}};
  node.values.push_back(value("scale_up", scale_up.medium, scale_up.origin, scale_up.note));
  if (domain > gpus)
    node.values.push_back(
        value("scale_up_gpus", domain, ValueOrigin::derived, "several hosts on one NVLink domain"));
  node.values.push_back(
      value("scale_up_gbyte_per_s", scale_up.gbyte_per_s, scale_up.origin, scale_up.note));
  node.values.push_back(value("scale_up_latency_us", pcie ? 0.5 : 0.25, ValueOrigin::assumed,
                              "as in the topologies that ship"));
  node.values.push_back({"in_switch_reduction", scale_up.in_switch_reduction ? "true" : "false",
                         scale_up.origin, "NVSwitch of compute capability 9.0 and later can"});
  return node;
}

} // namespace

ImportedTopology read_nccl_xml(const std::filesystem::path& file, const ImportOptions& options) {
  const XmlElement root = XmlElement::read(file);
  const NcclSystem system = read_nccl_system(root);
  ImportedTopology topology;
  topology.remarks = system.remarks;
  std::vector<std::string>& remarks = topology.remarks;

  const NcclGpuChoice gpu = choose_gpu(system, options.gpu_kind, remarks);
  const int gpus = gpus_of_host(system);
  const double pcie = gpu_pcie_gbyte_per_s(system, remarks);
  const ScaleUp scale_up = scale_up_of(system, gpu.facts, pcie, remarks);
  const bool joined = scale_up.medium != "pcie";
  const int domain = joined ? static_cast<int>(system.gpus.size()) : gpus;
  if (domain < static_cast<int>(system.gpus.size()))
    remarks.push_back("several hosts without NVLink between them: one of them is taken");
  ImportedTable node = node_table(scale_up, gpus, domain);
  add_nics(nics_of_node(system, gpus, remarks), pcie, node);
  remarks.push_back("the network between nodes is not in the file: for more GPUs than gpus_max, "
                    "fill in [fabric]");

  topology.tables = {
      {"", {value("gpus_max", domain, ValueOrigin::derived, "the GPUs of the file")}},
      gpu_table(gpu.facts, gpu.origin, gpu.note),
      node,
      {"fabric", {value("kind", "none", ValueOrigin::assumed, "the fabric is not in the file")}}};
  return topology;
}

} // namespace moesim
