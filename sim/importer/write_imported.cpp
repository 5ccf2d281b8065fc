#include "sim/importer/toml_text.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/file_text.hpp"
#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace moesim {

namespace {

namespace fs = std::filesystem;

std::string comment_of(const ImportedValue& value) {
  const char* word = value.origin == ValueOrigin::read      ? "read"
                     : value.origin == ValueOrigin::derived ? "derived"
                                                            : "assumed";
  return comment_text(value.note.empty() ? word : fmt::format("{}: {}", word, value.note));
}

/// The names of the two tables, relative to the topology file.
std::string graph_keys(const std::string& stem) {
  return fmt::format("nodes = \"{0}.nodes.csv\"\nlinks = \"{0}.links.csv\"\n", stem);
}

std::string toml_of(const ImportedTopology& topology, const std::string& stem) {
  std::string text;
  for (const std::string& remark : topology.remarks)
    text += comment_text(remark) + "\n";
  for (const ImportedTable& table : topology.tables) {
    if (table.name == "fabric" && !topology.copied_fabric.empty()) {
      text += "\n" + topology.copied_fabric;
      continue;
    }
    text += text_of(table);
    if (table.name == "fabric" && topology.graph)
      text += graph_keys(stem);
  }
  return text;
}

std::string nodes_of(const ImportedGraph& graph) {
  std::string text = "name,kind,node\n";
  for (const ImportedVertex& vertex : graph.vertices)
    text += fmt::format("{},{},{}\n", vertex.name, vertex.kind, vertex.node);
  return text;
}

std::string links_of(const ImportedGraph& graph) {
  std::string text = "source,sink,kind,gbyte_per_s,latency_us\n";
  for (const ImportedCable& cable : graph.cables)
    text += fmt::format("{},{},{},{},{}\n", cable.source, cable.sink, cable.kind, cable.gbyte_per_s,
                        cable.latency_us);
  return text;
}

} // namespace

std::string comment_text(const std::string& text) {
  std::string comment = "# ";
  for (const char value : text)
    comment += static_cast<unsigned char>(value) < ' ' || value == '\x7f' ? ' ' : value;
  return comment;
}

std::string text_of(const ImportedTable& table) {
  std::string text = table.name.empty() ? "" : fmt::format("\n[{}]\n", table.name);
  for (const ImportedValue& value : table.values)
    text += value.key.empty()
                ? comment_text(value.note) + "\n"
                : fmt::format("{:<32} {}\n", fmt::format("{} = {}", value.key, value.value),
                              comment_of(value));
  return text;
}

void put_into_fabric(ImportedTopology& topology, const fs::path& file) {
  const TopologySpec spec = read_topology(file);
  if (spec.fabric.kind == FabricKind::explicit_graph)
    throw InputError(
        {file.string()}, "its fabric lists its nodes one by one",
        "name a file whose fabric is built by rule, as topologies/hgx-h100-ndr400.toml");
  std::istringstream lines(read_file(file));
  bool inside = false;
  topology.copied_fabric = comment_text("read: the fabric of " + file.string()) + "\n";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("["))
      inside = line.starts_with("[fabric]");
    if (inside)
      topology.copied_fabric += line + "\n";
  }
  const std::int64_t nodes = spec.gpus_max / spec.node.gpus;
  for (ImportedTable& table : topology.tables)
    if (table.name == "fabric")
      table.values.clear();
  for (ImportedTable& table : topology.tables)
    for (ImportedValue& value : table.values)
      if (table.name == "node" && value.key == "gpus")
        topology.tables.front().values.push_back(
            {"gpus_max", std::to_string(nodes * std::stoll(value.value)), ValueOrigin::derived,
             fmt::format("{} nodes, as there", nodes)});
  std::vector<ImportedValue>& top = topology.tables.front().values;
  top.erase(std::find_if(top.begin(), top.end(),
                         [](const ImportedValue& value) { return value.key == "gpus_max"; }));
}

void write_text(const fs::path& file, const std::string& text, const std::string& example) {
  std::ofstream stream(file);
  stream << text;
  if (!stream.flush())
    throw InputError(
        {file.string()}, "cannot be written",
        fs::is_directory(file) ? fmt::format("it is a folder: name a file, as {}", example) : "");
}

void write_imported(const ImportedTopology& topology, const fs::path& file) {
  write_text(file, toml_of(topology, file.stem().string()), "my-cluster.toml");
  if (!topology.graph)
    return;
  fs::path stem = file;
  stem.replace_extension();
  write_text(stem.string() + ".nodes.csv", nodes_of(*topology.graph), "");
  write_text(stem.string() + ".links.csv", links_of(*topology.graph), "");
}

} // namespace moesim
