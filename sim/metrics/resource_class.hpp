#pragma once

#include "sim/platform/topology.hpp"

#include <string>

namespace moesim {

/// What a resource is called together with its like: "Node[3].Gpu[5]" is "GPU compute", "Leaf[2].
/// Uplink" a "leaf uplink". A name that no class knows is its own class, without its indices.
std::string resource_class(const std::string& name);

/// The same for a link, by its kind; `name` decides only if the kind has no class.
std::string link_class(LinkKind kind, const std::string& name);

} // namespace moesim
