#include "sim/workload/dispatch_library.hpp"

namespace moesim {

const std::vector<std::string>& dispatch_library_names() {
  static const std::vector<std::string> names = {"deepep", "hybridep", "uccl-ep"};
  return names;
}

} // namespace moesim
