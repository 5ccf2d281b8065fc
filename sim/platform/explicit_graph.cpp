#include "sim/input/csv_table.hpp"
#include "sim/platform/cluster_graph.hpp"
#include "sim/platform/topology_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

using VertexId = ClusterGraph::VertexId;

/// Names, in a table of nodes, of the kinds of vertex.
constexpr auto vertex_words =
    std::to_array<Named<VertexKind>>({{VertexKind::gpu, "gpu"},
                                      {VertexKind::scale_up_switch, "scale_up_switch"},
                                      {VertexKind::nic, "nic"},
                                      {VertexKind::network_switch, "switch"}});
const std::vector<std::string> link_words = {"scale_up", "pcie", "nic", "fabric"};

std::string word_at(const CsvTable& table, std::size_t row, const std::string& column,
                    const std::vector<std::string>& words) {
  const std::size_t index = table.column(column);
  const std::string& word = table.text(row, index);
  if (std::find(words.begin(), words.end(), word) == words.end())
    throw InputError(
        table.where(row, index),
        fmt::format("{}: \"{}\" is not one of {}", column, word, fmt::join(words, ", ")),
        suggest_name(word, words));
  return word;
}

class GraphReader {
public:
  explicit GraphReader(const TopologySpec& spec)
      : vertices_(CsvTable::read(spec.fabric.nodes_file)),
        links_(CsvTable::read(spec.fabric.links_file)) {
    vertices_.expect_columns({"name", "kind", "node"});
    links_.expect_columns({"source", "sink", "kind", "gbyte_per_s", "latency_us"});
  }

  ClusterGraph read() {
    for (std::size_t row = 0; row < vertices_.rows(); ++row)
      add_vertex(row);
    cluster_.nodes = static_cast<std::int64_t>(hosts_.size());
    for (std::size_t row = 0; row < links_.rows(); ++row)
      add_cable(row);
    find_domains();
    return std::move(cluster_);
  }

private:
  void add_vertex(std::size_t row) {
    const std::string& name = vertices_.text(row, vertices_.column("name"));
    const std::string kind = word_at(vertices_, row, "kind", names_of(vertex_words));
    const std::string& host = vertices_.text(row, vertices_.column("node"));
    if (name.empty())
      throw InputError(vertices_.where(row, vertices_.column("name")), "name: is empty");
    if (by_name_.contains(name))
      throw InputError(vertices_.where(row, vertices_.column("name")),
                       fmt::format("name: \"{}\" is given twice", name));
    const VertexKind as = *value_named(vertex_words, kind);
    const bool hosted = as == VertexKind::gpu || as == VertexKind::nic;
    if (hosted == host.empty())
      throw InputError(vertices_.where(row, vertices_.column("node")),
                       hosted ? fmt::format("node: a {} belongs to a node", kind)
                              : fmt::format("node: a {} belongs to no node", kind),
                       hosted ? "name its host" : "leave the cell empty");
    std::int64_t node = -1;
    if (hosted)
      node = hosts_.emplace(host, static_cast<std::int64_t>(hosts_.size())).first->second;
    const VertexId vertex = cluster_.add_vertex(name, as, node);
    by_name_.emplace(name, vertex);
    names_.push_back(name);
    if (as == VertexKind::gpu)
      cluster_.gpus.push_back({vertex, node, 0, gpus_of_host_[node]++});
  }

  VertexId end_of(std::size_t row, const std::string& column) {
    const std::size_t index = links_.column(column);
    const std::string& name = links_.text(row, index);
    const auto found = by_name_.find(name);
    if (found == by_name_.end())
      throw InputError(links_.where(row, index),
                       fmt::format("{}: there is no \"{}\" in the nodes", column, name),
                       suggest_name(name, names_));
    return found->second;
  }

  /// The class of one direction of a cable. Throws InputError if a link of this kind cannot join
  /// the two vertices.
  LinkKind kind_of(std::size_t row, const std::string& word, VertexId from, VertexId to) const {
    const VertexKind source = cluster_.graph[from].kind;
    const VertexKind sink = cluster_.graph[to].kind;
    const auto joins = [&](VertexKind a, VertexKind b) {
      return (source == a && sink == b) || (source == b && sink == a);
    };
    using Kind = VertexKind;
    if (word == "scale_up" && joins(Kind::gpu, Kind::scale_up_switch))
      return source == Kind::gpu ? LinkKind::scale_up_egress : LinkKind::scale_up_ingress;
    if (word == "scale_up" && joins(Kind::scale_up_switch, Kind::scale_up_switch))
      return LinkKind::scale_up_uplink;
    if (word == "pcie" && joins(Kind::gpu, Kind::nic) &&
        cluster_.graph[from].node != cluster_.graph[to].node)
      fail_to_join(row, word, from, to, "they are in different nodes");
    if (word == "pcie" && (joins(Kind::gpu, Kind::nic) || joins(Kind::scale_up_switch, Kind::nic)))
      return sink == Kind::nic ? LinkKind::pcie_egress : LinkKind::pcie_ingress;
    if (word == "nic" && joins(Kind::nic, Kind::network_switch))
      return source == Kind::nic ? LinkKind::nic_egress : LinkKind::nic_ingress;
    if (word == "fabric" && joins(Kind::network_switch, Kind::network_switch))
      return LinkKind::fabric_link;
    fail_to_join(row, word, from, to);
  }

  [[noreturn]] void fail_to_join(std::size_t row, const std::string& word, VertexId from,
                                 VertexId to, const std::string& hint = "") const {
    throw InputError(links_.where(row, links_.column("kind")),
                     fmt::format("kind: a {} link cannot join {} and {}", word,
                                 cluster_.graph[from].name, cluster_.graph[to].name),
                     hint);
  }

  void add_cable(std::size_t row) {
    const VertexId source = end_of(row, "source");
    const VertexId sink = end_of(row, "sink");
    if (sink == source)
      throw InputError(links_.where(row, links_.column("sink")),
                       fmt::format("sink: \"{}\" is the source too", cluster_.graph[sink].name));
    const std::string word = word_at(links_, row, "kind", link_words);
    const BytesPerSecond capacity =
        gbyte_per_s(links_.positive_number(row, links_.column("gbyte_per_s")));
    const std::size_t latency = links_.column("latency_us");
    if (links_.number(row, latency) < 0.0)
      throw InputError(links_.where(row, latency), "latency_us: is negative");
    for (const auto& [from, to] : {std::pair(source, sink), std::pair(sink, source)}) {
      const LinkKind kind = kind_of(row, word, from, to);
      cluster_.add_link(from, to, name_between(from, to), kind, capacity,
                        microseconds(links_.number(row, latency)));
    }
  }

  /// "leaf1.To[spine2]", and "leaf1.To[spine2].Cable[1]" for the second cable between them.
  std::string name_between(VertexId from, VertexId to) {
    const std::string name =
        fmt::format("{}.To[{}]", cluster_.graph[from].name, cluster_.graph[to].name);
    const int before = cables_[name]++;
    return before == 0 ? name : fmt::format("{}.Cable[{}]", name, before);
  }

  /// Finds the domains: GPUs joined by scale-up links. A GPU without such links is its own domain.
  void find_domains() {
    const auto& graph = cluster_.graph;
    std::vector<std::int64_t> domain(boost::num_vertices(graph), -1);
    for (ClusterGraph::Gpu& gpu : cluster_.gpus) {
      if (domain[gpu.vertex] < 0) {
        std::vector<VertexId> open = {gpu.vertex};
        domain[gpu.vertex] = cluster_.domains++;
        while (!open.empty()) {
          const VertexId vertex = open.back();
          open.pop_back();
          for (auto [edge, end] = boost::out_edges(vertex, graph); edge != end; ++edge) {
            const VertexId next = boost::target(*edge, graph);
            if (!is_scale_up(graph[*edge].kind) || domain[next] >= 0)
              continue;
            domain[next] = domain[vertex];
            open.push_back(next);
          }
        }
      }
      gpu.domain = domain[gpu.vertex];
    }
  }

  CsvTable vertices_;
  CsvTable links_;
  ClusterGraph cluster_;
  std::map<std::string, VertexId> by_name_;
  std::vector<std::string> names_;
  std::map<std::string, std::int64_t> hosts_;
  std::map<std::int64_t, std::int64_t> gpus_of_host_;
  std::map<std::string, int> cables_;
};

} // namespace

ClusterGraph read_explicit_graph(const TopologySpec& spec) {
  return GraphReader(spec).read();
}

} // namespace moesim
