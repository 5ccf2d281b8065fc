#pragma once

#include "sim/base/enumeration.hpp"

#include <array>
#include <cstdint>

namespace moesim {

/// The classes of links. A new class takes an enumerator and a row below.
enum class LinkKind {
  scale_up_egress,
  scale_up_ingress,
  scale_up_uplink, ///< between the two levels of scale-up switches
  scale_up_downlink,
  pcie_egress,
  pcie_ingress,
  nic_egress,
  nic_ingress,
  leaf_uplink,
  leaf_downlink,
  spine_uplink,
  spine_downlink,
  local_link,  ///< dragonfly: within a group
  global_link, ///< dragonfly: between groups
  torus_link,
  fabric_link ///< between switches of an explicit graph
};

/// The stage of a route that a link belongs to.
enum class LinkLevel : std::uint8_t {
  scale_up_gpu,    ///< between a GPU and a scale-up switch
  scale_up_switch, ///< between scale-up switches
  pcie,            ///< between a GPU, or a PCIe switch, and a NIC
  nic,             ///< between a NIC and a switch of the network
  network          ///< between switches of the network
};

/// The direction of a link in a regular fabric.
enum class LinkDirection : std::uint8_t {
  away,    ///< from a GPU
  towards, ///< a GPU
  across   ///< between switches of the same tier
};

/// The properties of a class of links.
struct LinkKindRow {
  LinkKind kind;
  const char* name;  ///< in tables
  const char* title; ///< for reports
  const char* links; ///< names of its links, without indices
  LinkLevel level;
  LinkDirection direction;
};

inline constexpr auto link_kind_rows = [] {
  using enum LinkKind;
  using enum LinkLevel;
  using enum LinkDirection;
  return std::to_array<LinkKindRow>({
      {scale_up_egress, "scale_up_egress", "scale-up egress", "Node.Gpu.ScaleUpEgress",
       scale_up_gpu, away},
      {scale_up_ingress, "scale_up_ingress", "scale-up ingress", "Node.Gpu.ScaleUpIngress",
       scale_up_gpu, towards},
      {scale_up_uplink, "scale_up_uplink", "scale-up uplink", "Domain.ScaleUpSwitch.Uplink",
       scale_up_switch, away},
      {scale_up_downlink, "scale_up_downlink", "scale-up downlink", "Domain.ScaleUpSwitch.Downlink",
       scale_up_switch, towards},
      {pcie_egress, "pcie_egress", "PCIe egress", "Node.Gpu.PcieEgress", pcie, away},
      {pcie_ingress, "pcie_ingress", "PCIe ingress", "Node.Gpu.PcieIngress", pcie, towards},
      {nic_egress, "nic_egress", "NIC egress", "Node.Nic.Egress", nic, away},
      {nic_ingress, "nic_ingress", "NIC ingress", "Node.Nic.Ingress", nic, towards},
      {leaf_uplink, "leaf_uplink", "leaf uplink", "Leaf.Uplink", network, away},
      {leaf_downlink, "leaf_downlink", "leaf downlink", "Leaf.Downlink", network, towards},
      {spine_uplink, "spine_uplink", "spine uplink", "Pod.Spine.Uplink", network, away},
      {spine_downlink, "spine_downlink", "spine downlink", "Pod.Spine.Downlink", network, towards},
      {local_link, "local_link", "local link", "Group.Router.Local", network, across},
      {global_link, "global_link", "global link", "Group.Router.Global", network, across},
      {torus_link, "torus_link", "torus link", "Router.To", network, across},
      {fabric_link, "fabric_link", "fabric link", "Switch.To", network, across},
  });
}();
static_assert(covers_each(link_kind_rows, &LinkKindRow::kind));

constexpr const LinkKindRow& row_of(LinkKind kind) {
  return link_kind_rows[index(kind)];
}

/// True for the links of a scale-up domain.
constexpr bool is_scale_up(LinkKind kind) {
  const LinkLevel level = row_of(kind).level;
  return level == LinkLevel::scale_up_gpu || level == LinkLevel::scale_up_switch;
}

/// True for the links between switches.
constexpr bool is_switch_link(LinkKind kind) {
  const LinkLevel level = row_of(kind).level;
  return level == LinkLevel::scale_up_switch || level == LinkLevel::network;
}

/// True for the links up from a switch of a regular fabric.
constexpr bool is_switch_uplink(LinkKind kind) {
  return is_switch_link(kind) && row_of(kind).direction == LinkDirection::away;
}

/// True for classes of a regular fabric that lead towards a GPU.
constexpr bool is_inbound(LinkKind kind) {
  return row_of(kind).direction == LinkDirection::towards;
}

} // namespace moesim
