#include "sim/importer/imported_topology.hpp"
#include "sim/importer/nvidia_smi_matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace moesim {

namespace {

using enum ValueOrigin;

/// The connections of all pairs of GPUs; empty for one GPU.
struct NvlinkCounts {
  std::map<int, int> pairs; ///< by number of links; 0: without NVLink
  SmiCell least;
  SmiCell most;
};

NvlinkCounts count_nvlinks(const SmiMatrix& matrix) {
  NvlinkCounts counts;
  for (std::size_t i = 0; i < matrix.gpus.size(); ++i)
    for (std::size_t j = i + 1; j < matrix.gpus.size(); ++j) {
      const SmiCell& cell = matrix.cell(matrix.gpus[i], matrix.gpus[j]);
      if (counts.pairs.empty() || cell.nvlinks() < counts.least.nvlinks())
        counts.least = cell;
      if (counts.pairs.empty() || cell.nvlinks() > counts.most.nvlinks())
        counts.most = cell;
      ++counts.pairs[cell.nvlinks()];
    }
  return counts;
}

/// The counts as text: "24 pairs without NVLink, 4 pairs NV4".
std::string listed(const NvlinkCounts& counts) {
  std::vector<std::string> parts;
  for (const auto& [links, pairs] : counts.pairs)
    parts.push_back(fmt::format("{} {} {}", pairs, pairs == 1 ? "pair" : "pairs",
                                links == 0 ? "without NVLink" : fmt::format("NV{}", links)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// The usual node around the GPUs of one generation, as in the files of `topologies/`.
struct Surroundings {
  const char* pcie;
  double pcie_gbyte_per_s;
  double nic_gbit_per_s;
  double efa_gbit_per_s; ///< rate of a node's adapters over the number of its GPUs
  const char* efa_instances;
};

Surroundings surroundings_of(const GpuFacts& gpu) {
  constexpr int professional = 120; // RTX PRO and GB10
  if (gpu.compute_capability >= 103 && gpu.compute_capability < professional)
    return {"PCIe 6.0 x16", 126, 800, 800, "p6-b300"};
  if (gpu.compute_capability >= 90 || gpu.compute_capability == 0)
    return {"PCIe 5.0 x16", 63, 400, 400, "p5, p5en, p6-b200"};
  return {"PCIe 4.0 x16", 31.5, 200, 50, "p4d"};
}

ImportedValue number(const char* key, double value, ValueOrigin origin, const std::string& note) {
  return {key, fmt::format("{}", value), origin, note};
}

/// Whether links that the matrix does not show join the GPUs of a kind.
bool has_other_links(const GpuFacts& gpu) {
  return gpu.nvlinks == 0 && gpu.scale_up_interconnect != "pcie";
}

std::vector<std::string> kinds_with(int nvlinks_min, int nvlinks_max) {
  std::vector<std::string> kinds;
  for (const GpuFacts& gpu : known_gpus())
    if (gpu.nvlinks >= nvlinks_min && gpu.nvlinks <= nvlinks_max && !has_other_links(gpu))
      kinds.push_back(gpu.kind);
  return kinds;
}

/// The kinds with at least this many NVLinks, or that there is none.
std::string hint_of_links(const char* before, int links) {
  const std::vector<std::string> kinds = kinds_with(links, 99);
  return kinds.empty() ? "no GPU has as many: 8 to 18 are usual"
                       : fmt::format("{}{}", before, fmt::join(kinds, ", "));
}

/// Peers of a GPU over links of its own, where each pair has as many: a mesh without a switch.
int mesh_peers(const SmiMatrix& matrix, const NvlinkCounts& counts) {
  return counts.pairs.size() == 1 && counts.least.nvlinks() > 0
             ? static_cast<int>(matrix.gpus.size()) - 1
             : 0;
}

/// Whether a kind's links are spread evenly over the peers of such a mesh.
bool is_mesh(const SmiMatrix& matrix, const NvlinkCounts& counts, const GpuFacts& gpu) {
  const int peers = mesh_peers(matrix, counts);
  return peers > 1 && counts.least.nvlinks() * peers == gpu.nvlinks;
}

const GpuFacts& given_gpu(const NvlinkCounts& counts, const std::string& kind) {
  const GpuFacts& gpu = gpu_facts(kind);
  if (counts.most.nvlinks() == 0 && gpu.nvlinks > 0 && !counts.pairs.empty())
    throw InputError(counts.most.where,
                     fmt::format("{} NVLinks are expected of {}, the matrix shows none: was it "
                                 "`nvidia-smi topo -mp`?",
                                 gpu.nvlinks, kind),
                     "give what `nvidia-smi topo -m` prints; for GPUs without NVLink name their "
                     "kind with --gpu");
  if (const int most = counts.most.nvlinks(); most > gpu.nvlinks && !has_other_links(gpu))
    throw InputError(
        counts.most.where,
        fmt::format("NV{} between GPUs, but --gpu {} has {} NVLinks", most, kind, gpu.nvlinks),
        hint_of_links("with as many: ", most));
  return gpu;
}

/// The first known kind with the matrix's number of NVLinks; the matrix does not name the GPU.
const GpuFacts& likely_gpu(const SmiMatrix& matrix, const NvlinkCounts& counts,
                           std::vector<std::string>& remarks) {
  const int most = counts.most.nvlinks();
  std::vector<std::string> kinds = kinds_with(most, most);
  if (const int links = most * mesh_peers(matrix, counts); kinds.empty() && links > 0)
    kinds = kinds_with(links, links);
  if (kinds.empty())
    throw InputError(counts.most.where,
                     fmt::format("NV{} between GPUs: no known GPU has {} NVLinks, and the matrix "
                                 "names none",
                                 most, most),
                     hint_of_links("name the nearest with --gpu: ", most));
  std::vector<std::string> others(kinds.begin() + 1, kinds.end());
  if (most == 8)
    others.push_back("A800 (not a known kind)");
  remarks.push_back(fmt::format(
      "The matrix names no GPU: {} is assumed from {}{}; say otherwise "
      "with --gpu.",
      kinds[0], most == 0 ? "no NVLink (which `topo -mp` leaves out)" : fmt::format("NV{}", most),
      others.empty() ? "" : fmt::format(", which is the same on {}", fmt::join(others, ", "))));
  return gpu_facts(kinds[0]);
}

/// Adds the scale-up keys of a node. `rates` is the origin of the rates: derived for a GPU that the
/// user names, else assumed like the GPU.
void add_scale_up(const SmiMatrix& matrix, const NvlinkCounts& counts, const GpuFacts& gpu,
                  ValueOrigin rates, ImportedTable& node, std::vector<std::string>& remarks) {
  const int links = counts.least.nvlinks();
  const auto gpus = static_cast<double>(matrix.gpus.size());
  if (has_other_links(gpu)) {
    node.values.push_back({"scale_up", fmt::format("\"{}\"", gpu.scale_up_interconnect), assumed,
                           fmt::format("the links of {}", gpu.kind)});
    node.values.push_back(number("scale_up_gpus", gpus, assumed, "the GPUs of the matrix"));
    node.values.push_back(number("scale_up_gbyte_per_s", gpu.scale_up_gbyte_per_s, assumed,
                                 "its row of calibration/gpus.csv"));
    node.values.push_back(number("scale_up_latency_us", 0.25, assumed, "as through one NVSwitch"));
    remarks.push_back(fmt::format("nvidia-smi tells nothing of the links of {}: they are taken "
                                  "from its datasheet.",
                                  gpu.kind));
  } else if (links == 0) {
    const Surroundings around = surroundings_of(gpu);
    node.values.push_back({"scale_up", "\"pcie\"", derived, "GPUs without NVLink"});
    node.values.push_back(number("scale_up_gpus", gpus, derived,
                                 "the GPUs of the matrix, over the PCIe of the node"));
    node.values.push_back(number("scale_up_gbyte_per_s", around.pcie_gbyte_per_s, assumed,
                                 fmt::format("{}, one direction", around.pcie)));
    node.values.push_back(number("scale_up_latency_us", 0.5, assumed,
                                 "half of about 1 us through switch and host bridge"));
  } else {
    node.values.push_back({"scale_up", fmt::format("\"{}\"", gpu.scale_up_interconnect), rates,
                           fmt::format("the NVLink of {}", gpu.kind)});
    node.values.push_back(number("scale_up_gpus", gpus, assumed,
                                 "the GPUs of the matrix; it shows no peers in other nodes"));
    const bool mesh = is_mesh(matrix, counts, gpu);
    node.values.push_back(number("scale_up_gbyte_per_s",
                                 (mesh ? gpu.nvlinks : links) * gpu.nvlink_gbyte_per_s, rates,
                                 fmt::format("{}{} links of {} GB/s, as {} has",
                                             mesh ? fmt::format("{} peers x ", gpus - 1) : "",
                                             links, gpu.nvlink_gbyte_per_s, gpu.kind)));
    node.values.push_back(
        number("scale_up_latency_us", 0.25, assumed, "half of about 0.5 us through one NVSwitch"));
    if (mesh)
      remarks.push_back(fmt::format("Links of its own join each pair of GPUs, without a switch: "
                                    "one peer gets {} of the {} GB/s.",
                                    links * gpu.nvlink_gbyte_per_s,
                                    gpu.nvlinks * gpu.nvlink_gbyte_per_s));
  }
  // More than two GPUs, each pair with all links, share a switch, which since Hopper can sum
  // (NVLink SHARP). The H800 prints no NVLink SHARP channels.
  const bool adds = links == 18 && gpu.nvlinks == 18 && gpu.compute_capability >= 90 && gpus > 2;
  node.values.push_back({"in_switch_reduction", adds ? "true" : "false", assumed,
                         adds ? "NVSwitch of this generation has NVLink SHARP"
                              : "no NVSwitch with NVLink SHARP is visible"});
  if (has_other_links(gpu))
    return;
  if (counts.pairs.size() > 1)
    remarks.push_back(fmt::format("GPUs connect differently: {}. {} is taken for all.",
                                  listed(counts),
                                  links == 0 ? "PCIe" : "The least, " + counts.least.text + ","));
  else if (links > 0 && links < gpu.nvlinks && !is_mesh(matrix, counts, gpu))
    remarks.push_back(fmt::format("{} is fewer than the {} NVLinks of {}: without a switch, links "
                                  "to several peers add up, which scale_up_gbyte_per_s leaves out.",
                                  counts.least.text, gpu.nvlinks, gpu.kind));
}

/// The number of NICs nearest to `nics` that `gpus` GPUs can share evenly; of two equally near, the
/// smaller.
std::size_t even_nics(std::size_t nics, std::size_t gpus) {
  const auto even = [gpus](std::size_t count) {
    return count > 0 && (gpus % count == 0 || count % gpus == 0);
  };
  for (std::size_t step = 0;; ++step) {
    if (nics > step && even(nics - step))
      return nics - step;
    if (even(nics + step))
      return nics + step;
  }
}

/// The interconnect of an RDMA device, from its name by the rules of rdma-core and AWS; else "".
std::string interconnect_of(const std::string& name) {
  const auto begins = [&name](const char* prefix) { return name.rfind(prefix, 0) == 0; };
  if (begins("rdmap") || begins("efa"))
    return "efa";
  if (begins("roce") || begins("bnxt_re"))
    return "roce";
  return begins("ib") ? "infiniband" : "";
}

std::string interconnect_of(const SmiMatrix& matrix) {
  std::string interconnect;
  for (const std::string& nic : matrix.nics) {
    const auto named = matrix.nic_legend.find(nic);
    const std::string found =
        interconnect_of(named == matrix.nic_legend.end() ? nic : named->second);
    if (!interconnect.empty() && found != interconnect)
      return "";
    interconnect = found;
  }
  return interconnect;
}

void add_nics(const SmiMatrix& matrix, const GpuFacts& gpu, ImportedTable& node,
              std::vector<std::string>& remarks) {
  if (matrix.nics.empty()) {
    node.values.push_back(number("nics", 0, read, "the matrix shows none"));
    return;
  }
  const std::size_t nics = even_nics(matrix.nics.size(), matrix.gpus.size());
  const bool same = nics == matrix.nics.size();
  if (!same)
    remarks.push_back(fmt::format("{} GPUs cannot share {} NICs evenly: {} are taken. Some may "
                                  "serve storage or management.",
                                  matrix.gpus.size(), matrix.nics.size(), nics));
  node.values.push_back(number("nics", static_cast<double>(nics), same ? read : derived,
                               same ? "" : "the nearest number that the GPUs share evenly"));
  const std::string told = interconnect_of(matrix);
  const std::string interconnect = told.empty() ? "infiniband" : told;
  node.values.push_back({"nic", fmt::format("\"{}\"", interconnect),
                         told.empty() ? assumed : derived,
                         told.empty() ? "the names of the NICs do not tell" : "names of the NICs"});
  const Surroundings around = surroundings_of(gpu);
  if (interconnect == "efa")
    node.values.push_back(number("nic_gbit_per_s",
                                 around.efa_gbit_per_s * static_cast<double>(matrix.gpus.size()) /
                                     static_cast<double>(nics),
                                 assumed,
                                 fmt::format("{} Gbit/s for each GPU on EC2 {}",
                                             around.efa_gbit_per_s, around.efa_instances)));
  else
    node.values.push_back(
        number("nic_gbit_per_s", around.nic_gbit_per_s, assumed,
               fmt::format("usual beside {}; the matrix tells no speed", gpu.kind)));
  const bool infiniband = interconnect == "infiniband";
  node.values.push_back(number("nic_latency_us", infiniband ? 0.6 : 1.0, assumed,
                               infiniband ? "half of about 1.2 us verbs latency through one switch"
                                          : "InfiniBand 0.6, and half of 3.6 - 2.8 us, "
                                            "arXiv 2505.09343"));
  node.values.push_back(number("pcie_gbyte_per_s", around.pcie_gbyte_per_s, assumed,
                               fmt::format("{}, one direction", around.pcie)));
}

/// Names the NICs that one switch joins, but no GPU: ports of one card, which share its slot.
void remark_paired_ports(const SmiMatrix& matrix, std::vector<std::string>& remarks) {
  std::vector<std::string> pairs;
  std::set<std::string> paired;
  for (std::size_t i = 0; i < matrix.nics.size(); ++i)
    for (std::size_t j = i + 1; j < matrix.nics.size(); ++j) {
      const auto row = matrix.cells.find(matrix.nics[i]);
      if (row == matrix.cells.end() || row->second.at(matrix.nics[j]).text != "PIX" ||
          paired.contains(matrix.nics[i]) || paired.contains(matrix.nics[j]))
        continue;
      pairs.push_back(fmt::format("{} and {}", matrix.nics[i], matrix.nics[j]));
      paired.insert({matrix.nics[i], matrix.nics[j]});
    }
  if (!pairs.empty())
    remarks.push_back(fmt::format(
        "{} are two ports of one card each (PIX): {} cards have {} ports, and the ports of a card "
        "share its PCIe. Where those cards serve storage or management, set nics to {}.",
        fmt::join(pairs, ", "), matrix.nics.size() - pairs.size(), matrix.nics.size(),
        matrix.nics.size() - paired.size()));
}

void remark_distant_nics(const SmiMatrix& matrix, std::vector<std::string>& remarks) {
  std::vector<std::string> distant;
  for (const std::string& gpu : matrix.gpus) {
    const bool near =
        std::any_of(matrix.nics.begin(), matrix.nics.end(), [&](const std::string& nic) {
          const std::string& text = matrix.cell(gpu, nic).text;
          return text == "PIX" || text == "PXB";
        });
    if (!near && !matrix.nics.empty())
      distant.push_back(gpu);
  }
  if (!distant.empty())
    remarks.push_back(fmt::format("{} of {} GPUs ({}) reach every NIC over the CPU; the topology "
                                  "has NICs at the PCIe switches of the GPUs.",
                                  distant.size(), matrix.gpus.size(), fmt::join(distant, ", ")));
}

void remark_hidden_gpus(const SmiMatrix& matrix, std::vector<std::string>& remarks) {
  const std::size_t gpus = matrix.gpus.size();
  const bool gaps = matrix.gpus.back() != fmt::format("GPU{}", gpus - 1);
  if (gaps || (gpus & (gpus - 1)) != 0)
    remarks.push_back(fmt::format("{} GPUs, {} to {}: a container may hide others of the node, "
                                  "which then has more.",
                                  gpus, matrix.gpus.front(), matrix.gpus.back()));
}

void remark_tray(const SmiMatrix& matrix, const GpuFacts& gpu, std::vector<std::string>& remarks) {
  remarks.push_back(fmt::format("{}: NVLink peers in other trays do not appear in the matrix. For "
                                "an NVL72, set scale_up_gpus and gpus_max to 72.",
                                gpu.kind == "gb200" ? "GB200" : "GB300"));
  if (!matrix.nics.empty())
    remarks.push_back("NICs read NODE or SYS on such a tray, yet GPUs reach them over NVLink-C2C.");
}

} // namespace

ImportedTopology read_nvidia_smi_topo(const std::filesystem::path& file,
                                      const ImportOptions& options) {
  const SmiMatrix matrix = read_smi_matrix(file);
  const NvlinkCounts counts = count_nvlinks(matrix);
  ImportedTopology topology;
  const bool given = !options.gpu_kind.empty();
  const GpuFacts& gpu =
      given ? given_gpu(counts, options.gpu_kind) : likely_gpu(matrix, counts, topology.remarks);
  const auto gpus = static_cast<double>(matrix.gpus.size());
  ImportedTable node{"node", {number("gpus", gpus, read, "")}};
  add_scale_up(matrix, counts, gpu, given ? derived : assumed, node, topology.remarks);
  add_nics(matrix, gpu, node, topology.remarks);
  remark_paired_ports(matrix, topology.remarks);
  node.values.push_back(host_beside(gpu));
  if (gpu.kind == "gb200" || gpu.kind == "gb300")
    remark_tray(matrix, gpu, topology.remarks);
  else
    remark_distant_nics(matrix, topology.remarks);
  if (!given && gpus == 4 && counts.least.nvlinks() == 18)
    topology.remarks.push_back("A tray of GB200 or GB300 looks the same: NVLink peers in other "
                               "trays do not appear; --gpu names it.");
  remark_hidden_gpus(matrix, topology.remarks);
  topology.tables = {
      {"",
       {{"source", "\"nvidia-smi topo -m\"", derived, "the format of the file"},
        number("gpus_max", gpus, derived, "one node")}},
      gpu_table(gpu, assumed, given ? "given with --gpu" : "from the number of NVLinks"),
      node,
      {"fabric", {{"kind", "\"none\"", assumed, "the matrix shows one node"}}}};
  return topology;
}

} // namespace moesim
