#include "sim/platform/topology_input.hpp"

#include <cmath>

namespace moesim {

namespace {

const std::vector<std::string> scale_up_interconnects = {"nvlink3", "nvlink4", "nvlink5",
                                                         "nvlink6", "xgmi",    "pcie"};
const std::vector<std::string> nic_interconnects = {"infiniband", "roce", "efa"};

void parse_gpu(const Overridden& table, TopologyInput& input) {
  GpuSpec& gpu = input.written.gpu;
  gpu.kind = table.file().text("kind");
  gpu.kind_place = table.file().where("kind");
  if (gpu.kind.empty())
    table.file().fail("kind", "a GPU needs a name", "\"h100-sxm\", or one of your own");
  gpu.memory =
      Bytes{std::llround(table.number("memory_gib", positive_number) * 1024.0 * 1024.0 * 1024.0)};
  gpu.bf16 = tflops(table.number("bf16_tflops", positive_number));
  if (const auto fp8 = table.optional_number("fp8_tflops", positive_number)) {
    input.fp8 = tflops(*fp8);
    if (input.fp8->value < gpu.bf16.value)
      table.source("fp8_tflops")
          .fail("fp8_tflops", "fp8_tflops is below bf16_tflops",
                "leave it out for a GPU without fp8");
  }
  gpu.fp4 = tflops(table.optional_number("fp4_tflops", positive_number).value_or(0.0));
  gpu.memory_bandwidth = gbyte_per_s(table.number("memory_gbyte_per_s", positive_number));
  gpu.sms = table.integer("sms", positive_count);
  gpu.board_power_w = table.optional_number("board_power_w", positive_number).value_or(0.0);
  table.file().text_or("source", "");
  table.file().finish();
}

void parse_scale_up(TopologyInput& input) {
  const Overridden& table = input.node;
  const TomlTable& file = table.file();
  NodeSpec& node = input.written.node;
  node.scale_up_interconnect = file.choice("scale_up", scale_up_interconnects);
  node.scale_up = gbyte_per_s(table.number("scale_up_gbyte_per_s", positive_number));
  node.scale_up_latency = microseconds(table.number("scale_up_latency_us", not_negative_number));
  input.scale_up_gpus = table.optional_integer("scale_up_gpus", positive_count);
  input.scale_up_switch_gpus = table.optional_integer("scale_up_switch_gpus", positive_count);
  node.scale_up_oversubscription = table.number_or("scale_up_oversubscription", {1.0, 1000.0}, 1.0);
  node.in_switch_reduction = file.flag_or("in_switch_reduction", false);
}

void parse_nics(const Overridden& table, NodeSpec& node) {
  if (node.nics == 0) {
    // The key has no effect without NICs, but is read: a sweep over NIC speeds may include a
    // topology that has none.
    table.cluster().number_or("nic_gbit_per_s", positive_number, 0.0);
    return;
  }
  node.nic_interconnect = table.file().choice("nic", nic_interconnects);
  node.nic = gbit_per_s(table.number("nic_gbit_per_s", positive_number));
  node.nic_latency = microseconds(table.number("nic_latency_us", not_negative_number));
  node.pcie = gbyte_per_s(table.number("pcie_gbyte_per_s", positive_number));
}

/// Reads the interconnects of an explicit graph; its sizes are in the graph's files.
void parse_interconnects(const Overridden& table, NodeSpec& node) {
  const TomlTable& file = table.file();
  node.scale_up_interconnect = file.choice("scale_up", scale_up_interconnects);
  node.nic_interconnect = file.choice_or("nic", nic_interconnects, "infiniband");
  node.in_switch_reduction = file.flag_or("in_switch_reduction", false);
}

void parse_node(bool from_graph, TopologyInput& input) {
  const Overridden& table = input.node;
  NodeSpec& node = input.written.node;
  node.host = table.text_or("host", node.host);
  node.host_place = table.source("host").where("host");
  if (from_graph) {
    parse_interconnects(table, node);
  } else {
    node.gpus = table.file().integer("gpus", positive_count);
    node.nics = table.integer("nics", {0, 1'000'000});
    parse_scale_up(input);
    parse_nics(table, node);
  }
  table.file().text_or("source", "");
  table.file().finish();
}

} // namespace

TopologyInput parse_topology(const std::filesystem::path& path, const TomlTable& cluster) {
  const TomlDocument document = TomlDocument::read(path);
  const TomlTable root = document.root();
  root.text_or("source", "");
  const TomlTable gpu = root.table("gpu");
  const TomlTable fabric = root.table("fabric");
  TopologyInput input{.written = {},
                      .fp8 = std::nullopt,
                      .scale_up_gpus = std::nullopt,
                      .scale_up_switch_gpus = std::nullopt,
                      .file = root,
                      .node = {root.table("node"), cluster},
                      .fabric = {fabric, cluster}};
  input.written.name = path.stem().string();
  parse_gpu({gpu, cluster}, input);
  const bool from_graph = fabric.text("kind") == "explicit";
  parse_node(from_graph, input);
  input.written.fabric = read_fabric(input.fabric, path.parent_path());
  if (!from_graph)
    input.written.gpus_max = Overridden(root, cluster).integer("gpus_max", positive_count);
  input.written.faults = read_faults(cluster);
  root.finish();
  return input;
}

} // namespace moesim
