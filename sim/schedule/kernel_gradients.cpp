#include "sim/schedule/kernel_gradients.hpp"

#include "sim/base/check.hpp"

namespace moesim {

namespace {

/// Gives a gradient the biases and the unevenness of a grouped GEMM.
void copy_groups(Kernel& gradient, const Kernel& k) {
  gradient.bias = k.bias;
  gradient.busiest_over_mean = k.busiest_over_mean;
}

/// Adds the gradient of a kernel's inputs: a GEMM for a GEMM, the kernel's gradient bytes for a
/// memory-bound kernel.
void add_input_gradient(std::vector<Kernel>& out, const Kernel& k) {
  switch (k.kind) {
  case KernelKind::gemm:
    out.push_back(gemm(k.part, k.precision, k.m, k.k, k.n));
    out.back().cast.input = k.cast.gradient;
    return;
  case KernelKind::grouped_gemm:
    out.push_back(grouped_data_gradient(k.part, k.precision, k.groups, k.m, k.k, k.n));
    copy_groups(out.back(), k);
    out.back().cast = {.input = k.cast.gradient, .together = k.cast.together};
    return;
  case KernelKind::batched_gemm: // m × n by n × k, and k × m by m × n
    out.push_back(batched_gemm(k.part, k.groups, k.m, k.k, k.n));
    out.back().same_call = k.same_call;
    out.push_back(batched_gemm(k.part, k.groups, k.k, k.n, k.m));
    out.back().same_call = true;
    return;
  case KernelKind::attention_forward:
    out.push_back(attention_backward({k.batch, k.sequence, k.heads, k.kv_heads, k.head_dim,
                                      k.value_dim, k.context, k.window, k.selected}));
    return;
  case KernelKind::token_scan:
    out.push_back(token_scan(k.gradient_bytes, scan_gradient_ratio * k.flops, k.launches));
    return;
  case KernelKind::memory_bound:
    if (k.gradient_launches == 0)
      return;
    out.push_back(memory_bound(k.part, k.gradient_bytes));
    out.back().launches = k.gradient_launches;
    out.back().same_call = k.same_call;
    return;
  case KernelKind::grouped_data_gradient:
  case KernelKind::grouped_weight_gradient:
  case KernelKind::attention_backward:
    INVARIANT(false, "kernel {} is no forward kernel", static_cast<int>(k.kind));
  }
}

/// Adds the gradient of a GEMM's weight, which accumulates in a sum of `sum_bytes` a parameter. The
/// sum is read and written, in place of the bf16 result that the GEMM alone writes.
void add_weight_gradient(std::vector<Kernel>& out, const Kernel& k, std::int64_t sum_bytes) {
  if (k.kind == KernelKind::gemm)
    out.push_back(gemm(k.part, k.precision, k.k, k.n, k.m));
  else if (k.kind == KernelKind::grouped_gemm)
    out.push_back(grouped_weight_gradient(k.part, k.precision, k.groups, k.m, k.n, k.k));
  else
    return;
  copy_groups(out.back(), k);
  out.back().cast = {.input = k.cast.saved, .together = k.cast.together};
  out.back().accumulated = Bytes{k.groups * k.n * k.k * (2 * sum_bytes - bf16_bytes)};
}

} // namespace

std::vector<Kernel> gradient_kernels(const std::vector<Kernel>& forward, Gradients gradients,
                                     std::int64_t sum_bytes) {
  std::vector<Kernel> kernels;
  for (auto kernel = forward.rbegin(); kernel != forward.rend(); ++kernel) {
    if (gradients != Gradients::weights) {
      if (kernel->repeated) {
        kernels.push_back(*kernel);
        kernels.back().repeated = false;
      }
      add_input_gradient(kernels, *kernel);
    }
    if (gradients != Gradients::inputs)
      add_weight_gradient(kernels, *kernel, sum_bytes);
  }
  return kernels;
}

} // namespace moesim
