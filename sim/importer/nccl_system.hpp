#pragma once

#include "sim/input/xml_document.hpp"

#include <map>
#include <string>
#include <vector>

namespace moesim {

/// A GPU of an NCCL topology file.
struct NcclGpu {
  const XmlElement* element = nullptr; ///< its <pci>, for messages
  std::string host;                    ///< host_hash; empty in a file of one host
  std::string bus;                     ///< PCI address
  std::string device;                  ///< PCI device number, "0x2330"; empty if not given
  bool amd = false;
  int compute_capability = 0; ///< 90 for Hopper; 0 if not given
  int amd_architecture = 0;   ///< gcn, 910 for MI200; 0 if not given
  int nvlinks = 0;            ///< to switches and other GPUs
  bool links_to_itself = false;
  bool on_nvswitch = false;
  bool has_c2c = false;           ///< NVLink-C2C to its own CPU
  int xgmi_links = 0;             ///< links of AMD's GPUs to other GPUs
  std::vector<std::string> peers; ///< PCI addresses of GPUs that it has links to
  /// Elements from the outside in: <cpu>, switches and bridges, and the device itself.
  std::vector<const XmlElement*> path;
};

/// A NIC of an NCCL topology file: a device with all of its ports.
struct NcclNic {
  std::string host;
  std::string interconnect;            ///< "infiniband", "roce", "efa"
  double gbit_per_s = 0.0;             ///< sum of all ports; 0 if not given
  int ports = 0;                       ///< 0 if not given
  std::vector<const XmlElement*> path; ///< see NcclGpu::path
};

/// The contents of an NCCL topology file. Two kinds of file share the format: a dump
/// (NCCL_TOPO_DUMP_FILE) of the devices that NCCL found, with GPUs, NVLinks and ports; and a hint
/// (NCCL_TOPO_FILE) from a cloud, with the PCI tree alone.
struct NcclSystem {
  bool is_dump = false; ///< it has <gpu> elements
  std::vector<NcclGpu> gpus;
  std::vector<NcclNic> nics;
  std::vector<std::string> remarks;
};

/// Collects the GPUs and NICs of a `<system>`, which must outlive the result. Throws InputError if
/// the root is another element, or if no GPU is found.
NcclSystem read_nccl_system(const XmlElement& root);

/// Rate of a PCI device's link in GB/s, as NCCL computes it: lanes × a rate by generation; 16 lanes
/// of generation 3 if speed or width is missing or unknown.
double nccl_pcie_gbyte_per_s(const XmlElement& device);

/// Lanes of a PCI device; 16 if the file states none.
double nccl_pcie_lanes(const XmlElement& device);

} // namespace moesim
