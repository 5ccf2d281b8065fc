#include "sim/platform/overridden.hpp"
#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <map>

namespace moesim {

namespace {

/// Reads `oversubscription`: a number for the leaves, or a list with a number for each tier.
void read_oversubscription(const Overridden& table, FabricSpec& fabric) {
  constexpr Range<double> range{1.0, 1000.0};
  const TomlTable& source = table.source("oversubscription");
  table.file().has("oversubscription"); // marks the key as known, even if the scenario overrides it
  if (!source.is_list("oversubscription")) {
    fabric.oversubscription = table.number("oversubscription", range);
    return;
  }
  const std::vector<double> tiers = source.numbers("oversubscription", range);
  if (tiers.size() != static_cast<std::size_t>(fabric.tiers - 1))
    source.fail("oversubscription",
                fmt::format("{} tiers of switches have {} capacities up, not {}", fabric.tiers,
                            fabric.tiers - 1, tiers.size()));
  fabric.oversubscription = tiers[0];
  if (fabric.tiers == 3)
    fabric.pod_oversubscription = tiers[1];
}

void read_switch_latency(const Overridden& table, FabricSpec& fabric) {
  fabric.switch_latency = microseconds(table.number("switch_latency_us", not_negative_number));
}

void read_tree(const Overridden& table, FabricSpec& fabric) {
  read_switch_latency(table, fabric);
  const TomlTable& file = table.file();
  fabric.tiers = table.integer_or("tiers", {2, 3}, 2);
  fabric.nodes_per_leaf = table.integer("nodes_per_leaf", positive_count);
  if (fabric.tiers == 3)
    fabric.leaves_per_pod = table.integer("leaves_per_pod", positive_count);
  read_oversubscription(table, fabric);
  if (file.choice_or("routing", {"adaptive", "ecmp"}, "adaptive") == "ecmp")
    fabric.ecmp_flows_per_nic = table.integer("ecmp_flows_per_nic", positive_count);
}

void read_dragonfly(const Overridden& table, FabricSpec& fabric) {
  read_switch_latency(table, fabric);
  fabric.nodes_per_leaf = table.integer("nodes_per_leaf", positive_count);
  fabric.routers_per_group = table.integer("routers_per_group", positive_count);
  fabric.local_link = gbit_per_s(table.number("local_gbit_per_s", positive_number));
  fabric.global_link = gbit_per_s(table.number("global_gbit_per_s", positive_number));
}

void read_torus(const Overridden& table, FabricSpec& fabric) {
  read_switch_latency(table, fabric);
  const auto sizes = table.file().integers("dimensions", {1, 10'000});
  if (sizes.size() != fabric.dimensions.size())
    table.file().fail("dimensions", fmt::format("a torus has 3 dimensions, not {}", sizes.size()),
                      "a dimension of 1 is flat");
  std::copy(sizes.begin(), sizes.end(), fabric.dimensions.begin());
  fabric.torus_link = gbit_per_s(table.number("link_gbit_per_s", positive_number));
  fabric.nodes_per_leaf = 1;
}

} // namespace

FabricSpec read_fabric(const Overridden& table, const std::filesystem::path& folder) {
  FabricSpec fabric;
  const TomlTable& file = table.file();
  fabric.kind = chosen(file, "kind", fabric_names);
  file.text_or("source", "");
  switch (fabric.kind) {
  case FabricKind::none:
    break;
  case FabricKind::rail_optimised:
  case FabricKind::leaf_spine:
  case FabricKind::multi_plane:
    read_tree(table, fabric);
    break;
  case FabricKind::dragonfly:
    read_dragonfly(table, fabric);
    break;
  case FabricKind::torus:
    read_torus(table, fabric);
    break;
  case FabricKind::explicit_graph:
    fabric.nodes_file = folder / file.text("nodes");
    fabric.links_file = folder / file.text("links");
    break;
  }
  file.finish();
  return fabric;
}

void check_fabric(const FabricSpec& fabric, const NodeSpec& node, const Overridden& table) {
  if (fabric.kind == FabricKind::none || fabric.kind == FabricKind::explicit_graph)
    return;
  if (node.nics == 0)
    table.file().fail("kind", fmt::format("a {} fabric needs NICs, but [node] nics is 0",
                                          name_of(fabric_names, fabric.kind)));
  if (fabric.kind == FabricKind::rail_optimised && fabric.tiers == 3 &&
      fabric.leaves_per_pod % node.nics != 0)
    table.source("leaves_per_pod")
        .fail("leaves_per_pod",
              fmt::format("a pod holds whole groups of one leaf a rail: a multiple of {}",
                          node.nics));
}

std::vector<FaultSpec> read_faults(const TomlTable& cluster) {
  using Part = FaultSpec::Part;
  static const std::map<std::string, Part> parts = {
      {"link", Part::link}, {"nic", Part::nic},
      {"rail", Part::rail}, {"switch", Part::network_switch},
      {"gpu", Part::gpu},   {"node", Part::node}};
  std::vector<FaultSpec> faults;
  for (const TomlTable& table : cluster.tables("fault")) {
    FaultSpec fault;
    std::string named;
    for (const auto& [key, part] : parts) {
      if (!table.has(key))
        continue;
      if (!named.empty())
        table.fail(key, fmt::format("a fault has one of {} and {}, not both", named, key),
                   "write a [[cluster.fault]] for each");
      named = key;
      fault.part = part;
      fault.where = table.where(key);
      if (part == Part::rail)
        fault.rail = table.integer(key, {0, 1'000'000});
      else
        fault.name = table.text(key);
    }
    if (named.empty())
      table.fail("capacity_share", "a fault names a link, nic, rail, switch, gpu or node");
    fault.capacity_share = table.number_or("capacity_share", {0.0, 1.0}, 0.0);
    if (fault.part == Part::node && fault.capacity_share > 0.0)
      table.fail("capacity_share", "a node that a fault names is drained: nothing of it is used",
                 "a fault of a gpu or a nic may leave a share");
    table.finish();
    faults.push_back(fault);
  }
  return faults;
}

} // namespace moesim
