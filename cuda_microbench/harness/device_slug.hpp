#pragma once

#include <cctype>
#include <string>

namespace moesim::microbench {

/// The name of a device's folder in calibration/, from the name that the driver gives it. Boards
/// in an SXM socket are told apart from PCIe cards, which have other clocks and power.
inline std::string device_slug(std::string name) {
  if (name.starts_with("NVIDIA "))
    name = name.substr(7);
  if (name.starts_with("A100-SXM"))
    return "a100-sxm";
  if (name == "H100 80GB HBM3")
    return "h100-sxm";
  if (name == "H200")
    return "h200-sxm";
  if (name == "B200")
    return "b200-sxm";
  std::string slug;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0)
      slug += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  while (!slug.empty() && slug.back() == '-')
    slug.pop_back();
  return slug;
}

} // namespace moesim::microbench
