#include "sim/importer/imported_topology.hpp"
#include "sim/importer/nccl_devices.hpp"
#include "sim/importer/nccl_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

struct ScaleUp {
  ImportedValue interconnect;
  ImportedValue gbyte_per_s; ///< of one GPU, one direction
  ImportedValue in_switch_reduction;
  bool over_pcie = false;
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
ImportedValue switch_reduction(const GpuFacts& facts, bool on_switch, ValueOrigin origin) {
  const bool able = on_switch && facts.compute_capability >= 90 && facts.kind != "h800-sxm";
  const std::string note = able        ? "an NVSwitch that can, with GPUs that can"
                           : on_switch ? fmt::format("the NVSwitch of {} does not", facts.kind)
                                       : "there is no NVSwitch";
  return {"in_switch_reduction", able ? "true" : "false", origin, note};
}

ScaleUp over_xgmi(const NcclGpu& gpu, const GpuFacts& facts, int links) {
  const double rate = xgmi_gbyte_per_s(gpu.amd_architecture);
  return {
      value("scale_up", facts.scale_up_interconnect, ValueOrigin::assumed,
            "xGMI was not measured: the curves of another medium"),
      value("scale_up_gbyte_per_s", links * rate, ValueOrigin::derived,
            fmt::format("{} xGMI links of {} GB/s to single GPUs; a pair has less", links, rate)),
      switch_reduction(facts, false, ValueOrigin::derived), false};
}

ScaleUp over_nvlink(const GpuFacts& facts, int links, bool on_switch, ValueOrigin origin) {
  const std::string note = fmt::format("{} NVLinks of {} GB/s{}", links, facts.nvlink_gbyte_per_s,
                                       origin == ValueOrigin::assumed ? ", as the GPU has" : "");
  return {value("scale_up", facts.scale_up_interconnect, origin, note),
          value("scale_up_gbyte_per_s", links * facts.nvlink_gbyte_per_s, origin, note),
          switch_reduction(facts, on_switch, origin), false};
}

ScaleUp over_pcie(const GpuFacts& facts, const ImportedValue& pcie) {
  return {value("scale_up", "pcie", ValueOrigin::derived, "no NVLink joins the GPUs of the file"),
          {"scale_up_gbyte_per_s", pcie.value, pcie.origin, pcie.note},
          switch_reduction(facts, false, ValueOrigin::derived),
          true};
}

ScaleUp scale_up_of(const NcclSystem& system, const GpuFacts& facts, int links,
                    const ImportedValue& pcie, std::vector<std::string>& remarks) {
  const NcclGpu& gpu = system.gpus.front();
  if (!system.is_dump)
    remarks.push_back("the file is a hint, without NVLinks and port speeds, not a dump");
  if (!system.is_dump && facts.nvlinks > 0)
    return over_nvlink(facts, facts.nvlinks, true, ValueOrigin::assumed);
  if (links > 0 && !links_join_all(system))
    remarks.push_back("the links join groups of GPUs, not all of the file: PCIe, which joins those "
                      "of a node, is taken for the scale-up network");
  else if (links > 0 && gpu.amd)
    return over_xgmi(gpu, facts, links);
  else if (links > 0 && facts.nvlinks == 0)
    gpu.element->fail(fmt::format("the GPUs of this file have NVLink, and {} has none", facts.kind),
                      "name another kind with --gpu");
  else if (links > 0)
    return over_nvlink(facts, links,
                       std::any_of(system.gpus.begin(), system.gpus.end(),
                                   [](const NcclGpu& one) { return one.on_nvswitch; }),
                       ValueOrigin::derived);
  else if (facts.nvlinks > 0)
    remarks.push_back(fmt::format("warning: the file shows no NVLink, though {} has {}", facts.kind,
                                  facts.nvlinks));
  return over_pcie(facts, pcie);
}

/// The line rate of PCIe, used in topology files (63 GB/s for 16 lanes of generation 5), over
/// NCCL's rate (48 GB/s). The ratio is the same for generations 3 to 5.
constexpr double line_over_nccl_rate = 63.0 / 48.0;

ImportedValue pcie_of(const NcclSystem& system, std::vector<std::string>& remarks) {
  const bool given = !system.gpus.front().element->text_or("link_speed", "").empty();
  return value("pcie_gbyte_per_s", gpu_pcie_gbyte_per_s(system, remarks) * line_over_nccl_rate,
               given ? ValueOrigin::derived : ValueOrigin::assumed,
               given ? "link_speed x link_width"
                     : "16 lanes of generation 3, which NCCL takes for a link of no speed");
}

void add_nics(const NcclNics& nics, const ImportedValue& pcie, ImportedTable& node) {
  const auto assumed = ValueOrigin::assumed;
  node.values.push_back(value("nics", nics.count, nics.count_origin, nics.count_note));
  if (nics.count == 0)
    return;
  node.values.push_back(value("nic", nics.interconnect, ValueOrigin::derived,
                              nics.interconnect == "roce" ? "Ethernet by PCI class, taken as RoCE"
                                                          : "by PCI class and vendor"));
  node.values.push_back(
      value("nic_gbit_per_s", nics.gbit_per_s, nics.speed_origin, nics.speed_note));
  node.values.push_back(value("nic_latency_us", nics.interconnect == "infiniband" ? 0.6 : 1.0,
                              assumed, "as in the topologies that ship"));
  node.values.push_back(pcie);
}

ImportedTable node_table(const ScaleUp& scale_up, int gpus, int domain) {
  ImportedTable node{"node", {value("gpus", gpus, ValueOrigin::read, ""), scale_up.interconnect}};
  if (domain > gpus)
    node.values.push_back(
        value("scale_up_gpus", domain, ValueOrigin::derived, "several hosts on one NVLink domain"));
  node.values.push_back(scale_up.gbyte_per_s);
  node.values.push_back(value("scale_up_latency_us", scale_up.over_pcie ? 0.5 : 0.25,
                              ValueOrigin::assumed, "as in the topologies that ship"));
  node.values.push_back(scale_up.in_switch_reduction);
  return node;
}

} // namespace

ImportedTopology read_nccl_xml(const std::filesystem::path& file, const ImportOptions& options) {
  const XmlElement root = XmlElement::read(file);
  const NcclSystem system = read_nccl_system(root);
  ImportedTopology topology;
  topology.remarks = system.remarks;
  std::vector<std::string>& remarks = topology.remarks;

  const int links = links_of_gpu(system, remarks);
  const NcclGpuChoice gpu = choose_gpu(system, options.gpu_kind, links, remarks);
  const int gpus = gpus_of_host(system);
  const ImportedValue pcie = pcie_of(system, remarks);
  const ScaleUp scale_up = scale_up_of(system, gpu.facts, links, pcie, remarks);
  const int domain = scale_up.over_pcie ? gpus : static_cast<int>(system.gpus.size());
  if (domain < static_cast<int>(system.gpus.size()))
    remarks.push_back("several hosts without NVLink between them: one of them is taken");
  ImportedTable node = node_table(scale_up, gpus, domain);
  node.values.push_back(host_beside(gpu.facts));
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
