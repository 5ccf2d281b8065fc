#pragma once

#include <string>

namespace moesim {

/// The class of a resource by its name: "GPU compute" of "Node[3].Gpu[5]", "leaf uplink" of
/// "Leaf[2].Uplink". An unknown name is its own class, without its indices.
std::string resource_class(const std::string& name);

} // namespace moesim
