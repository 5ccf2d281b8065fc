#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The origin of a value of an imported file, which is written as a comment after it.
enum class ValueOrigin {
  read,    ///< stated in the file
  derived, ///< computed from values of the file, as the note explains
  assumed  ///< not in the file: a default, which the note explains
};

/// A key of a topology file.
struct ImportedValue {
  std::string key;
  std::string value; ///< TOML text, strings with their quotes
  ValueOrigin origin = ValueOrigin::read;
  std::string note;
};

/// A table of a topology file: "" (the keys at the top), "gpu", "node", "fabric".
struct ImportedTable {
  std::string name;
  std::vector<ImportedValue> values;
};

/// A row of nodes.csv; see read_explicit_graph.
struct ImportedVertex {
  std::string name;
  std::string kind; ///< gpu, scale_up_switch, nic, switch
  std::string node; ///< host of a GPU or NIC, else empty
};
/// A row of links.csv: a full-duplex cable.
struct ImportedCable {
  std::string source;
  std::string sink;
  std::string kind; ///< scale_up, pcie, nic, fabric
  double gbyte_per_s = 0.0;
  double latency_us = 0.0;
};
struct ImportedGraph {
  std::vector<ImportedVertex> vertices;
  std::vector<ImportedCable> cables;
};

/// The topology that an import made of a file.
struct ImportedTopology {
  std::vector<ImportedTable> tables;
  std::optional<ImportedGraph> graph; ///< of an explicit topology
  std::string copied_fabric;          ///< `[fabric]` of another file, as TOML; may be empty
  /// Remarks for the reader: parts that were left out, and suspect values.
  std::vector<std::string> remarks;
};

/// Values that the user adds to a file.
struct ImportOptions {
  std::string gpu_kind; ///< "h100-sxm", …; empty: the kind of the file, else a stated default
};

/// Facts of a GPU kind that no dump holds: a row of calibration/gpus.csv.
struct GpuFacts {
  std::string kind;
  std::string scale_up_interconnect;
  double scale_up_gbyte_per_s = 0.0; ///< of one GPU, one direction
  double memory_gib = 0.0;
  double bf16_tflops = 0.0; ///< dense
  double fp8_tflops = 0.0;  ///< dense; 0 without fp8 arithmetic
  double memory_gbyte_per_s = 0.0;
  int sms = 0;
  int nvlinks = 0;                 ///< links of one GPU; 0: PCIe or links of another kind
  double nvlink_gbyte_per_s = 0.0; ///< rate of one link, one direction
  int compute_capability = 0;      ///< 90 for Hopper; 0: not NVIDIA's, or not known
};
/// Every kind, in the order of the table.
const std::vector<GpuFacts>& known_gpus();
/// The facts of a kind, whatever the case and punctuation of its name. Throws InputError, with the
/// known kinds, for an unknown one.
const GpuFacts& gpu_facts(const std::string& kind);
/// The `host` of a node with these GPUs.
ImportedValue host_beside(const GpuFacts& facts);
/// The `[gpu]` table of a kind: `kind` with the given origin, the other values from its datasheet.
ImportedTable gpu_table(const GpuFacts& facts, ValueOrigin kind_origin, const std::string& note);

/// Each function reads one format and throws InputError, with the position, for a file that it
/// cannot read.
ImportedTopology read_nccl_xml(const std::filesystem::path& file, const ImportOptions& options);
ImportedTopology read_nvidia_smi_topo(const std::filesystem::path& file,
                                      const ImportOptions& options);
ImportedTopology read_ibnetdiscover(const std::filesystem::path& file,
                                    const ImportOptions& options);

/// Replaces the fabric of an imported node by that of a topology file, with as many nodes as there.
/// Throws the errors of read_topology, and InputError for a fabric that lists its own nodes.
void put_into_fabric(ImportedTopology& topology, const std::filesystem::path& file);

/// Writes the topology file, and beside it `<stem>.nodes.csv` and `<stem>.links.csv` if there is a
/// graph; `[fabric]` then names them. Throws InputError if a file cannot be written.
void write_imported(const ImportedTopology& topology, const std::filesystem::path& file);

} // namespace moesim
