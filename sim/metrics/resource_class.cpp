#include "sim/metrics/resource_class.hpp"

#include "sim/platform/link_kind.hpp"

#include <algorithm>

namespace moesim {

namespace {

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
  const auto* known = std::find_if(link_kind_rows.begin(), link_kind_rows.end(),
                                   [&](const LinkKindRow& row) { return kind == row.links; });
  return known == link_kind_rows.end() ? kind : known->title;
}

} // namespace moesim
