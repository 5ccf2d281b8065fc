#include "sim/schedule/host_work.hpp"

namespace moesim {

namespace {

bool captured(const Kernel& kernel, const CudaGraphs& graphs) {
  switch (kernel.part) {
  case KernelPart::attention:
    return graphs.attention;
  case KernelPart::router:
    return graphs.router;
  case KernelPart::permute:
    return graphs.preprocess;
  case KernelPart::dense:
    return graphs.dense;
  case KernelPart::expert:
  case KernelPart::shared_expert:
  case KernelPart::head:
  case KernelPart::optimizer:
    break;
  }
  return false;
}

std::int64_t launches_of(const Kernel& kernel) {
  switch (kernel.kind) {
  case KernelKind::gemm:
  case KernelKind::grouped_gemm:
  case KernelKind::grouped_weight_gradient:
    return kernel.groups * (kernel.precision == Precision::fp8 ? 2 : 1);
  case KernelKind::attention_forward:
  case KernelKind::attention_backward:
  case KernelKind::memory_bound:
    break;
  }
  return 1;
}

} // namespace

std::int64_t host_launches(const std::vector<Segment>& segments, const CudaGraphs& graphs) {
  if (graphs.full_iteration)
    return 0;
  std::int64_t launches = 0;
  for (const Segment& segment : segments) {
    const auto* compute = std::get_if<ComputeWork>(&segment.work);
    if (!compute) {
      ++launches;
      continue;
    }
    for (const Kernel& kernel : compute->kernels)
      if (!captured(kernel, graphs))
        launches += launches_of(kernel);
  }
  return launches;
}

} // namespace moesim
