#pragma once

#include "sim/importer/imported_topology.hpp"
#include "sim/importer/nccl_system.hpp"

#include <string>
#include <vector>

namespace moesim {

/// The GPU kind of an NCCL topology file, with the reason.
struct NcclGpuChoice {
  GpuFacts facts;
  ValueOrigin origin = ValueOrigin::assumed;
  std::string note;
};
/// Chooses `kind` if it is not empty, else the kind by PCI device number, compute capability and
/// links, else a default by PCIe generation. `links` is the number of links of a GPU. Throws
/// InputError for GPUs that no kind fits.
NcclGpuChoice choose_gpu(const NcclSystem& system, const std::string& kind, int links,
                         std::vector<std::string>& remarks);

/// Links of a GPU to others, NVLink or xGMI: the most frequent number above 0; 0 if no GPU has
/// links. Adds a remark if GPUs differ.
int links_of_gpu(const NcclSystem& system, std::vector<std::string>& remarks);

/// Whether links between GPUs, or a switch, join all GPUs.
bool links_join_all(const NcclSystem& system);

/// GB/s between a GPU and the NIC nearest to it, in one direction: the slowest PCIe link below the
/// first switch that both share; the minimum over all GPUs.
double gpu_pcie_gbyte_per_s(const NcclSystem& system, std::vector<std::string>& remarks);

/// The NICs of one node in the nearest form of a topology file: the same number on every node,
/// shared evenly by its GPUs.
struct NcclNics {
  int count = 0;
  std::string interconnect;
  double gbit_per_s = 0.0; ///< of one
  ValueOrigin count_origin = ValueOrigin::read;
  std::string count_note;
  ValueOrigin speed_origin = ValueOrigin::read;
  std::string speed_note;
};
/// The NICs of nodes with `gpus` GPUs each.
NcclNics nics_of_node(const NcclSystem& system, int gpus, std::vector<std::string>& remarks);

} // namespace moesim
