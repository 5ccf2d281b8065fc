#include "sim/importer/nccl_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

namespace moesim {

namespace {

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

const std::string nvidia = "0x10de";
const std::string amd = "0x1002";

/// The PCI address of a device. Remarks print it, so its form is checked.
std::string bus_of(const XmlElement& device) {
  const std::string& bus = device.text("busid");
  if (bus.empty() || bus.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos)
    device.fail("busid is not a PCI address", "as in \"0000:0f:00.0\"");
  return bus;
}

/// The count of an attribute; a wrong one must not overflow.
int count_of(const XmlElement& link, const std::string& attribute) {
  const double count = link.number(attribute);
  if (count < 0 || count > 10'000 || count != static_cast<int>(count))
    link.fail(fmt::format("{} of <{}> must be a count", attribute, link.name()));
  return static_cast<int>(count);
}

/// Whether a device is a GPU: a display or 3D controller, but not that of a server's console.
bool is_gpu(const XmlElement& device) {
  if (!device.children("gpu").empty())
    return true;
  const std::string type = device.text_or("class", "");
  const std::string vendor = device.text_or("vendor", "");
  if (starts_with(type, "0x12"))
    return vendor == amd;
  return starts_with(type, "0x03") && (vendor.empty() || vendor == nvidia || vendor == amd);
}

bool is_nic(const XmlElement& device) {
  return !device.children("nic").empty() || starts_with(device.text_or("class", ""), "0x02");
}

std::string interconnect_of(const XmlElement* device) {
  if (device && device->text_or("vendor", "") == "0x1d0f")
    return "efa";
  if (device && starts_with(device->text_or("class", ""), "0x0207"))
    return "infiniband";
  return "roce";
}

/// The links of a <gpu>.
void read_links(const XmlElement& element, NcclGpu& gpu) {
  for (const XmlElement* link : element.children("nvlink")) {
    const std::string target = link->text_or("target", "");
    if (target == gpu.bus) {
      gpu.links_to_itself = true;
      continue;
    }
    gpu.nvlinks += count_of(*link, "count");
    const bool to_switch =
        starts_with(link->text_or("tclass", ""), "0x0680") || starts_with(target, "fffffff:");
    gpu.on_nvswitch |= to_switch;
    if (!to_switch)
      gpu.peers.push_back(target);
  }
  for (const XmlElement* link : element.children("xgmi")) {
    gpu.xgmi_links += count_of(*link, "count");
    gpu.peers.push_back(link->text_or("target", ""));
  }
  gpu.has_c2c = !element.children("c2c").empty();
}

class Reader {
public:
  explicit Reader(NcclSystem& system) : system_(system) {}

  void read_cpu(const XmlElement& cpu) {
    host_ = cpu.text_or("host_hash", "");
    path_ = {&cpu};
    read_inside(cpu);
  }

  /// Keeps the devices that the job of a dump uses, which only the full file tells.
  void finish() {
    system_.is_dump = found_gpu_;
    if (found_gpu_)
      leave_out(system_.gpus, "GPUs that the job does not use",
                [](const NcclGpu& gpu) { return gpu.element->children("gpu").empty(); });
    if (!ports_.empty())
      leave_out(system_.nics, "NICs that the job does not use",
                [](const NcclNic& nic) { return nic.ports == 0; });
    const auto outside = [](const NcclNic& nic) { return nic.path.back()->name() != "pci"; };
    if (!std::all_of(system_.nics.begin(), system_.nics.end(), outside))
      leave_out(system_.nics, "network interfaces without a PCI device", outside);
  }

private:
  template <typename Device, typename Rule>
  void leave_out(std::vector<Device>& devices, const char* what, const Rule& rule) {
    const auto end = std::remove_if(devices.begin(), devices.end(), rule);
    if (end != devices.end())
      system_.remarks.push_back(fmt::format("left out, {}: {}", what, devices.end() - end));
    devices.erase(end, devices.end());
  }

  void read_inside(const XmlElement& parent) {
    for (const XmlElement& child : parent.children()) {
      if (child.name() == "pci")
        read_device(child);
      else if (child.name() == "nic")
        read_nic(child, parent.name() == "pci" ? &parent : nullptr);
    }
  }

  void read_device(const XmlElement& device) {
    path_.push_back(&device);
    const std::string bus = bus_of(device);
    if (is_gpu(device))
      read_gpu(device, bus);
    else if (is_nic(device) && device.children("nic").empty())
      system_.nics.push_back({host_, interconnect_of(&device), 0.0, 0, path_});
    read_inside(device);
    path_.pop_back();
  }

  void read_gpu(const XmlElement& device, const std::string& bus) {
    NcclGpu gpu;
    gpu.element = &device;
    gpu.host = host_;
    gpu.bus = bus;
    gpu.path = path_;
    const std::string vendor = device.text_or("vendor", "");
    gpu.amd = vendor == amd;
    if (vendor == nvidia)
      gpu.device = device.text_or("device", "");
    for (const XmlElement* element : device.children("gpu")) {
      found_gpu_ = true;
      gpu.amd |= element->has("gcn");
      if (gpu.amd && element->has("gcn"))
        gpu.amd_architecture = count_of(*element, "gcn");
      else if (!gpu.amd && element->has("sm")) // for AMD's GPUs it counts the compute units
        gpu.compute_capability = count_of(*element, "sm");
      read_links(*element, gpu);
    }
    system_.gpus.push_back(std::move(gpu));
  }

  void read_nic(const XmlElement& nic, const XmlElement* device) {
    for (const XmlElement* net : nic.children("net"))
      add_port(*net, device);
  }

  /// Adds a port. NCCL assumes 10 Gbit/s if a speed is missing. One guid is one device, whose ports
  /// are numbered.
  void add_port(const XmlElement& net, const XmlElement* device) {
    double mbit_per_s = net.has("speed") ? net.number("speed") : 0.0;
    if (mbit_per_s <= 0)
      mbit_per_s = 10'000;
    const std::string guid = net.text_or("guid", "");
    const bool known = guid.size() > 3 && starts_with(guid, "0x") &&
                       guid.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string::npos;
    // A masked guid identifies no device; its address without the function after the dot does.
    const std::string bus = device ? bus_of(*device) : "";
    const std::string name = known          ? guid
                             : !bus.empty() ? bus.substr(0, bus.rfind('.')) + guid
                                            : net.text_or("name", "") + net.text_or("dev", "");
    const auto [found, is_new] = nic_of_.try_emplace({host_, name}, system_.nics.size());
    if (is_new)
      system_.nics.push_back({host_, interconnect_of(device), 0.0, 0, path_});
    const std::string port = net.text_or("port", net.text_or("dev", ""));
    if (!ports_.insert({found->second, port}).second)
      return; // the same port again
    system_.nics[found->second].gbit_per_s += mbit_per_s * 1e-3;
    ++system_.nics[found->second].ports;
  }

  NcclSystem& system_;
  std::string host_;
  std::vector<const XmlElement*> path_;
  bool found_gpu_ = false;
  std::map<std::pair<std::string, std::string>, std::size_t> nic_of_;
  std::set<std::pair<std::size_t, std::string>> ports_;
};

bool has_class(const XmlElement& element) {
  return element.has("class") ||
         std::any_of(element.children().begin(), element.children().end(), has_class);
}

} // namespace

NcclSystem read_nccl_system(const XmlElement& root) {
  if (root.name() == "graphs")
    root.fail("<graphs> are the rings and trees that NCCL chose (NCCL_GRAPH_FILE), not the "
              "topology",
              "give what NCCL writes with NCCL_TOPO_DUMP_FILE=topology.xml");
  if (root.name() != "system")
    root.fail(fmt::format("<{}> is not an NCCL topology, which begins with <system>", root.name()));
  NcclSystem system;
  Reader reader(system);
  for (const XmlElement* cpu : root.children("cpu"))
    reader.read_cpu(*cpu);
  reader.finish();
  if (system.gpus.empty())
    root.fail(has_class(root) ? "there is no GPU in this topology"
                              : "no PCI device has a class, so that nothing tells the GPUs from "
                                "the NICs",
              "give what NCCL writes with NCCL_TOPO_DUMP_FILE=topology.xml");
  return system;
}

double nccl_pcie_lanes(const XmlElement& device) {
  const double lanes = device.has("link_width") ? device.number("link_width") : 0.0;
  return lanes > 0 ? lanes : 16;
}

double nccl_pcie_gbyte_per_s(const XmlElement& device) {
  static const std::map<double, double> rates = {{2.5, 15}, {5, 30},   {8, 60},
                                                 {16, 120}, {32, 240}, {64, 480}};
  const std::string speed = device.text_or("link_speed", "");
  const auto rate = rates.find(std::strtod(speed.c_str(), nullptr));
  return nccl_pcie_lanes(device) * (rate == rates.end() ? 60 : rate->second) / 80;
}

} // namespace moesim
