#include "sim/metrics/resource_class.hpp"

#include <algorithm>
#include <array>

namespace moesim {

namespace {

/// The only declaration of a class of links: its kind, its name for people, and the names of its
/// links without their indices.
struct LinkClass {
  LinkKind kind;
  const char* name;
  const char* links;
};

constexpr std::array link_classes = std::to_array<LinkClass>({
    {LinkKind::scale_up_egress, "scale-up egress", "Node.Gpu.ScaleUpEgress"},
    {LinkKind::scale_up_ingress, "scale-up ingress", "Node.Gpu.ScaleUpIngress"},
    {LinkKind::pcie_egress, "PCIe egress", "Node.Gpu.PcieEgress"},
    {LinkKind::pcie_ingress, "PCIe ingress", "Node.Gpu.PcieIngress"},
    {LinkKind::nic_egress, "NIC egress", "Node.Nic.Egress"},
    {LinkKind::nic_ingress, "NIC ingress", "Node.Nic.Ingress"},
    {LinkKind::leaf_uplink, "leaf uplink", "Leaf.Uplink"},
    {LinkKind::leaf_downlink, "leaf downlink", "Leaf.Downlink"},
    {LinkKind::scale_up_uplink, "scale-up uplink", "Domain.ScaleUpSwitch.Uplink"},
    {LinkKind::scale_up_downlink, "scale-up downlink", "Domain.ScaleUpSwitch.Downlink"},
    {LinkKind::spine_uplink, "spine uplink", "Pod.Spine.Uplink"},
    {LinkKind::spine_downlink, "spine downlink", "Pod.Spine.Downlink"},
    {LinkKind::local_link, "local link", "Group.Router.Local"},
    {LinkKind::global_link, "global link", "Group.Router.Global"},
    {LinkKind::torus_link, "torus link", "Router.To"},
    {LinkKind::fabric_link, "fabric link", "Switch.To"},
});

/// "Node[3].Gpu[5].PcieEgress" → "Node.Gpu.PcieEgress".
std::string without_indices(const std::string& name) {
  std::string text;
  bool inside = false;
  for (const char character : name) {
    inside = inside || character == '[';
    if (!inside)
      text += character;
    inside = inside && character != ']';
  }
  return text;
}

} // namespace

std::string resource_class(const std::string& name) {
  const std::string kind = without_indices(name);
  if (kind == "Node.Gpu")
    return "GPU compute";
  const auto* known = std::find_if(link_classes.begin(), link_classes.end(),
                                   [&](const LinkClass& row) { return kind == row.links; });
  return known == link_classes.end() ? kind : known->name;
}

std::string link_class(LinkKind kind, const std::string& name) {
  const auto* known = std::find_if(link_classes.begin(), link_classes.end(),
                                   [&](const LinkClass& row) { return kind == row.kind; });
  return known == link_classes.end() ? resource_class(name) : known->name;
}

} // namespace moesim
