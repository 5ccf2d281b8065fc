#include "sim/workload/collective.hpp"

#include "sim/base/check.hpp"

namespace moesim {

const char* library_name(Library library) {
  switch (library) {
  case Library::nccl:
    return "nccl";
  case Library::deepep:
    return "deepep";
  case Library::hybridep:
    return "hybridep";
  case Library::uccl_ep:
    return "uccl-ep";
  }
  INVARIANT(false, "library {}", static_cast<int>(library));
}

const std::vector<std::string>& dispatch_library_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Library library : dispatch_libraries)
      all.emplace_back(library_name(library));
    return all;
  }();
  return names;
}

} // namespace moesim
