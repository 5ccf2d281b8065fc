#include "sim/metrics/resource_class.hpp"

#include "sim/platform/topology.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("resources are classed by their name without its indices") {
  CHECK(resource_class("Node[3].Gpu[5]") == "GPU compute");
  CHECK(resource_class("Node[3].Gpu[15].ScaleUpIngress") == "scale-up ingress");
  CHECK(resource_class("Node[0].Nic[7].Egress") == "NIC egress");
  CHECK(resource_class("Leaf[12].Downlink") == "leaf downlink");
  CHECK(resource_class("Mesh[1][2].East") == "Mesh.East"); // no class knows it
}

TEST_CASE("every link of a shipped topology has a class, the same by kind and by name") {
  for (const char* name : {"hgx-h100-ndr400", "hgx-a100-hdr200", "ethernet-100g", "nvlink-only"}) {
    const auto file =
        std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies" / (std::string(name) + ".toml");
    const Topology topology(read_topology(file), 512);
    for (std::uint32_t link = 0; link < topology.links(); ++link) {
      const Link& real = topology.link(LinkId(link));
      INFO(real.name);
      CHECK(row_of(real.kind).title == resource_class(real.name));
      CHECK(resource_class(real.name).find('.') == std::string::npos);
    }
  }
}
