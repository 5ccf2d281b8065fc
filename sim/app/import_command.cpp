#include "sim/app/commands.hpp"

#include "sim/base/output_file.hpp"
#include "sim/importer/imported_topology.hpp"
#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct ImportFormat {
  const char* name;
  ImportedTopology (*read)(const std::filesystem::path&, const ImportOptions&);
  const char* help;
  const char* example;
  bool is_node; ///< whether it shows one node, without a fabric
};

const std::vector<ImportFormat> formats = {
    {"nccl-xml", read_nccl_xml,
     "A node, or an NVLink domain, from what NCCL writes with NCCL_TOPO_DUMP_FILE",
     "moesim import nccl-xml topology.xml --out my-node.toml", true},
    {"nvidia-smi-topo", read_nvidia_smi_topo, "A node from the matrix of nvidia-smi topo -m",
     "moesim import nvidia-smi-topo matrix.txt --gpu h100-sxm \\\n"
     "      --fabric topologies/hgx-h100-ndr400.toml --out my-cluster.toml",
     true},
    {"ibnetdiscover", read_ibnetdiscover,
     "An InfiniBand fabric, cable by cable, from what ibnetdiscover prints",
     "moesim import ibnetdiscover fabric.txt --gpu h100-sxm --out my-cluster.toml", false},
};

struct ImportRequest {
  std::string file;
  std::string out;
  std::string fabric;
  ImportOptions options;
};

/// Prints the gaps of the topology file, which its comments also list, for users who do not open
/// it.
void print_gaps(const ImportedTopology& topology) {
  for (const std::string& remark : topology.remarks)
    std::cerr << remark << '\n';
  for (const ImportedTable& table : topology.tables)
    for (const ImportedValue& value : table.values)
      if (value.origin == ValueOrigin::assumed)
        std::cerr << fmt::format("not in the file, assumed: {}{} = {} ({})\n",
                                 table.name.empty() ? "" : table.name + ".", value.key, value.value,
                                 value.note);
}

void add_format(CLI::App& import, const ImportFormat& format) {
  auto request = std::make_shared<ImportRequest>();
  CLI::App* command = import.add_subcommand(format.name, format.help);
  command->footer(fmt::format("Example: {}", format.example));
  command->add_option("file", request->file, "File to read")->type_name("FILE")->required();
  command->add_option("--out", request->out, "Topology file to write")
      ->type_name("TOPOLOGY.toml")
      ->required();
  std::vector<std::string> kinds;
  for (const GpuFacts& gpu : known_gpus())
    kinds.push_back(gpu.kind);
  command
      ->add_option("--gpu", request->options.gpu_kind,
                   fmt::format("GPU, where the file does not tell it: {}", fmt::join(kinds, ", ")))
      ->type_name("KIND");
  if (format.is_node)
    command
        ->add_option("--fabric", request->fabric,
                     "Topology file whose fabric joins nodes like this one (default: one node)")
        ->type_name("TOPOLOGY.toml");
  command->callback([request, read = format.read] {
    ImportedTopology topology = read(request->file, request->options);
    if (!request->fabric.empty())
      put_into_fabric(topology, request->fabric);
    expect_no_input("--out", request->out, {request->file, request->fabric});
    write_imported(topology, request->out);
    read_topology(request->out); // what was written can be used
    print_gaps(topology);
    std::cout << request->out << '\n';
  });
}

} // namespace

void add_import_command(CLI::App& app, const AppContext& context) {
  CLI::App* import =
      app.add_subcommand("import", "Write a topology file from what other tools know of a cluster, "
                                   "or a scenario from a\ntraining command or the log of a run");
  import->require_subcommand(1);
  import->footer("What the file does not tell is taken from datasheets or assumed: each value says "
                 "so in the\nfile that is written, and the assumed ones are printed.");
  for (const ImportFormat& format : formats)
    add_format(*import, format);
  add_megatron_import(*import);
  add_megatron_log_import(*import, context);
}

} // namespace moesim
