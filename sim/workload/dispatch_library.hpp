#pragma once

#include <string>
#include <vector>

namespace moesim {

/// Whose kernels dispatch and combine, where a token goes once to each scale-up domain.
enum class DispatchLibrary {
  deepep,   ///< deepseek-ai/DeepEP; over EFA its port to NVSHMEM over libfabric
  hybridep, ///< its branch hybrid-ep
  uccl_ep   ///< uccl-project/uccl: the same calls, messages posted by threads of the host
};

/// Their names in scenarios and tables, in this order.
const std::vector<std::string>& dispatch_library_names();

} // namespace moesim
