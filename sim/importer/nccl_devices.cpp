#include "sim/importer/nccl_devices.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace moesim {

namespace {

/// Kinds by PCI device number, from the PCI ID database. 0x20b0 is the A100 of 40 GB.
const std::map<std::string, std::string> kind_of_device = {
    {"0x20b0", "a100-sxm"}, {"0x20b2", "a100-sxm"}, {"0x2330", "h100-sxm"}, {"0x2324", "h800-sxm"},
    {"0x2335", "h200-sxm"}, {"0x2901", "b200-sxm"}, {"0x2941", "gb200"},    {"0x31c2", "gb300"},
    {"0x31c3", "gb300"},    {"0x26b9", "l40s"}};

const std::string give_gpu = "--gpu KIND names the GPU to calculate with";

bool is_grace(const GpuFacts& facts) {
  return facts.kind.compare(0, 2, "gb") == 0;
}

/// The kind of this compute capability and number of links, with or without C2C; one without
/// NVLink only where no other has the capability.
const GpuFacts* kind_of_capability(const NcclGpu& gpu, int links) {
  const GpuFacts* best = nullptr;
  int best_score = -1;
  for (const GpuFacts& facts : known_gpus()) {
    if (facts.compute_capability != gpu.compute_capability)
      continue;
    const int score = (facts.nvlinks > 0 ? 4 : 0) + (is_grace(facts) == gpu.has_c2c ? 2 : 0) +
                      (facts.nvlinks == links ? 1 : 0);
    if (score > best_score) {
      best = &facts;
      best_score = score;
    }
  }
  return best;
}

NcclGpuChoice choose_by_file(const NcclGpu& gpu, int links, std::vector<std::string>& remarks) {
  if (gpu.amd)
    gpu.element->fail("this is an AMD GPU, and no costs of AMD GPUs were measured", give_gpu);
  if (const auto kind = kind_of_device.find(gpu.device); kind != kind_of_device.end()) {
    if (gpu.device == "0x20b0")
      remarks.push_back("the GPUs are A100 of 40 GB; memory and its rate are those of the 80 GB");
    return {gpu_facts(kind->second), ValueOrigin::derived,
            fmt::format("from PCI device {}", gpu.device)};
  }
  if (gpu.compute_capability > 0) {
    const GpuFacts* facts = kind_of_capability(gpu, links);
    if (!facts)
      gpu.element->fail(fmt::format("no GPU of compute capability {}.{} was measured",
                                    gpu.compute_capability / 10, gpu.compute_capability % 10),
                        give_gpu);
    return {*facts, ValueOrigin::assumed,
            fmt::format("the file tells compute capability {}.{} and {} NVLinks; --gpu names "
                        "another",
                        gpu.compute_capability / 10, gpu.compute_capability % 10, links)};
  }
  if (!gpu.device.empty())
    gpu.element->fail("no GPU of this PCI device number was measured", give_gpu);
  const double rate = nccl_pcie_gbyte_per_s(*gpu.element) / nccl_pcie_lanes(*gpu.element) * 80;
  const char* kind = rate >= 480 ? "b300-sxm" : rate >= 240 ? "h100-sxm" : "a100-sxm";
  return {gpu_facts(kind), ValueOrigin::assumed,
          "by the PCIe generation, as the file does not tell; --gpu names another"};
}

std::string addresses(const std::vector<const NcclGpu*>& gpus) {
  std::vector<std::string> buses;
  for (const NcclGpu* gpu : gpus)
    buses.push_back(gpu->bus);
  return fmt::format("{}", fmt::join(buses, ", "));
}

template <typename Value> Value most_frequent(const std::map<Value, int>& counts) {
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

/// Number of elements that two paths share, from the outside in.
std::size_t shared_length(const std::vector<const XmlElement*>& a,
                          const std::vector<const XmlElement*>& b) {
  std::size_t length = 0;
  while (length < a.size() && length < b.size() && a[length] == b[length])
    ++length;
  return length;
}

/// Adds a remark if the GPUs of one CPU have more near NICs than those of another.
void compare_cpus(const NcclSystem& system, const std::vector<NcclNic>& nics,
                  std::vector<std::string>& remarks) {
  std::map<const XmlElement*, std::pair<std::size_t, std::size_t>> counts;
  for (const NcclGpu& gpu : system.gpus)
    ++counts[gpu.path.front()].first;
  for (const NcclNic& nic : nics)
    ++counts[nic.path.front()].second;
  const auto uneven = [&](const auto& entry) {
    return entry.second.first * nics.size() != entry.second.second * system.gpus.size();
  };
  if (std::any_of(counts.begin(), counts.end(), uneven))
    remarks.push_back("the NICs do not sit evenly beside the GPUs: some CPUs have more of them for "
                      "a GPU than others; the topology shares them evenly");
}

/// The NICs without those for management, which are far slower than the fastest.
std::vector<NcclNic> fast_nics(const NcclSystem& system, std::vector<std::string>& remarks) {
  double fastest = 0.0;
  for (const NcclNic& nic : system.nics)
    fastest = std::max(fastest, nic.gbit_per_s);
  std::vector<NcclNic> fast;
  for (const NcclNic& nic : system.nics)
    if (nic.gbit_per_s * 2 >= fastest)
      fast.push_back(nic);
  if (fast.size() < system.nics.size())
    remarks.push_back(fmt::format("left out, NICs of less than half the speed of the fastest: {}",
                                  system.nics.size() - fast.size()));
  return fast;
}

/// The usual port rate of a PCIe slot.
double assumed_gbit_per_s(const NcclNic& nic) {
  const XmlElement& device = *nic.path.back();
  const double rate = device.name() == "pci" ? nccl_pcie_gbyte_per_s(device) : 0.0;
  return rate >= 96 ? 800 : rate >= 48 ? 400 : rate >= 24 ? 200 : 100;
}

/// A number of NICs, at most `nics`, that the GPUs of a node can share evenly: the largest divisor
/// of `gpus`. With more NICs than GPUs, `nics` if it is a multiple of `gpus`, else `gpus`.
int even_count(int nics, int gpus) {
  if (nics > gpus)
    return nics % gpus == 0 ? nics : gpus;
  while (gpus % nics != 0)
    --nics;
  return nics;
}

} // namespace

NcclGpuChoice choose_gpu(const NcclSystem& system, const std::string& kind, int links,
                         std::vector<std::string>& remarks) {
  const NcclGpu& gpu = system.gpus.front();
  for (const NcclGpu& other : system.gpus)
    if (other.device != gpu.device || other.compute_capability != gpu.compute_capability ||
        other.amd != gpu.amd)
      other.element->fail("a cluster has GPUs of one kind, and this one is not of the first one's");
  if (kind.empty())
    return choose_by_file(gpu, links, remarks);
  const GpuFacts& facts = gpu_facts(kind);
  if (gpu.amd)
    remarks.push_back(fmt::format("the GPUs are AMD's: costs and network curves of {} stand in for "
                                  "them",
                                  kind));
  else if (gpu.compute_capability > 0 && gpu.compute_capability != facts.compute_capability)
    remarks.push_back(
        fmt::format("the GPUs of the file have compute capability {}.{}, {} has {}.{}",
                    gpu.compute_capability / 10, gpu.compute_capability % 10, kind,
                    facts.compute_capability / 10, facts.compute_capability % 10));
  return {facts, ValueOrigin::assumed, "as --gpu says"};
}

int links_of_gpu(const NcclSystem& system, std::vector<std::string>& remarks) {
  const auto links_of = [](const NcclGpu& gpu) { return gpu.amd ? gpu.xgmi_links : gpu.nvlinks; };
  std::map<int, int> counts;
  std::vector<const NcclGpu*> without, others, to_itself;
  for (const NcclGpu& gpu : system.gpus) {
    if (links_of(gpu) > 0)
      ++counts[links_of(gpu)];
    else
      without.push_back(&gpu);
    if (gpu.links_to_itself)
      to_itself.push_back(&gpu);
  }
  if (!to_itself.empty())
    remarks.push_back("NVLinks of a GPU to itself are left out: " + addresses(to_itself));
  if (counts.empty())
    return 0;
  const int links = most_frequent(counts);
  for (const NcclGpu& gpu : system.gpus)
    if (links_of(gpu) > 0 && links_of(gpu) != links)
      others.push_back(&gpu);
  if (!without.empty())
    remarks.push_back(fmt::format("warning: no NVLink on {}, though other GPUs have {}; the "
                                  "topology takes it as whole, but every collective would wait for "
                                  "this GPU",
                                  addresses(without), links));
  if (!others.empty())
    remarks.push_back(
        fmt::format("warning: not {} links as the other GPUs, on {}", links, addresses(others)));
  return links;
}

bool links_join_all(const NcclSystem& system) {
  std::map<std::string, const NcclGpu*> by_bus;
  for (const NcclGpu& gpu : system.gpus) {
    if (gpu.on_nvswitch)
      return true;
    by_bus[gpu.host + gpu.bus] = &gpu;
  }
  std::set<const NcclGpu*> reached;
  std::vector<const NcclGpu*> next = {&system.gpus.front()};
  while (!next.empty()) {
    const NcclGpu* gpu = next.back();
    next.pop_back();
    if (!reached.insert(gpu).second)
      continue;
    for (const std::string& peer : gpu->peers)
      if (const auto found = by_bus.find(gpu->host + peer); found != by_bus.end())
        next.push_back(found->second);
  }
  return reached.size() == by_bus.size();
}

double gpu_pcie_gbyte_per_s(const NcclSystem& system, std::vector<std::string>& remarks) {
  double least = 0.0;
  bool narrow = false;
  for (const NcclGpu& gpu : system.gpus) {
    std::size_t shared = 1; // the CPU
    for (const NcclNic& nic : system.nics)
      shared = std::max(shared, shared_length(gpu.path, nic.path));
    shared = std::min(shared, gpu.path.size() - 1); // the GPU's own link counts in any case
    for (std::size_t i = shared; i < gpu.path.size(); ++i) {
      const XmlElement& device = *gpu.path[i];
      if (nccl_pcie_lanes(device) == 1 && nccl_pcie_lanes(*gpu.element) > 1) {
        narrow = true;
        continue;
      }
      const double rate = nccl_pcie_gbyte_per_s(device);
      least = least == 0.0 ? rate : std::min(least, rate);
    }
  }
  if (narrow)
    remarks.push_back("bridges of one PCIe lane above wider GPUs are left out of the PCIe rate: "
                      "what they report is not their real width");
  return least;
}

NcclNics nics_of_node(const NcclSystem& system, int gpus, std::vector<std::string>& remarks) {
  const std::vector<NcclNic> nics = fast_nics(system, remarks);
  if (nics.empty()) {
    remarks.push_back("there is no NIC in this topology");
    return {};
  }
  compare_cpus(system, nics, remarks);
  std::map<std::string, int> interconnects;
  std::set<double> speeds;
  double total = 0.0;
  bool several_ports = false;
  const bool assumed = nics.front().gbit_per_s == 0;
  for (const NcclNic& nic : nics) {
    ++interconnects[nic.interconnect];
    const double speed = assumed ? assumed_gbit_per_s(nic) : nic.gbit_per_s;
    speeds.insert(speed);
    total += speed;
    several_ports |= nic.ports > 1;
  }
  const int hosts = static_cast<int>(system.gpus.size()) / gpus;
  const int found = static_cast<int>(nics.size());
  NcclNics result;
  result.interconnect = most_frequent(interconnects);
  result.count = even_count(std::max(1, found / hosts), gpus);
  result.gbit_per_s = total / hosts / result.count;
  const bool regular = result.count * hosts == found;
  if (!regular) {
    result.count_origin = ValueOrigin::derived;
    result.count_note =
        fmt::format("the even number nearest to {} NICs of {} GPUs", found, system.gpus.size());
    remarks.push_back(fmt::format("{} NICs cannot be shared evenly by {} GPUs: taken as {} on a "
                                  "node, of the same speed together",
                                  found, system.gpus.size(), result.count));
  }
  if (assumed) {
    result.speed_origin = ValueOrigin::assumed;
    result.speed_note = "what a slot of this PCIe rate is made for";
  } else if (!regular || speeds.size() > 1 || several_ports) {
    result.speed_origin = ValueOrigin::derived;
    result.speed_note = several_ports ? "all ports of a NIC together" : "all NICs, shared evenly";
  }
  return result;
}

} // namespace moesim
