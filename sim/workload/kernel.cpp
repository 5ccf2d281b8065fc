#include "sim/workload/kernel.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

/// Bytes of `values` of a GEMM's operand.
std::int64_t operand_bytes(Precision precision, std::int64_t values) {
  switch (precision) {
  case Precision::bf16:
    return values * bf16_bytes;
  case Precision::fp8:
  case Precision::fp8_per_tensor:
    return values;
  case Precision::nvfp4:
    break;
  }
  return nvfp4_bytes(values);
}

/// Keys for each query, on average.
double attended(const AttentionShape& shape) {
  if (shape.selected > 0)
    return mean_keys(shape.sequence, shape.selected);
  const double causal = static_cast<double>(shape.sequence) / 2.0;
  constexpr std::int64_t block = 128;
  return shape.window > 0 ? std::min(causal, static_cast<double>(shape.window + block)) : causal;
}

Kernel attention(KernelKind kind, const AttentionShape& shape, double gemms) {
  Kernel kernel;
  kernel.kind = kind;
  kernel.part = KernelPart::attention;
  kernel.batch = shape.batch;
  kernel.sequence = shape.sequence;
  kernel.heads = shape.heads;
  kernel.kv_heads = shape.kv_heads;
  kernel.head_dim = shape.head_dim;
  kernel.value_dim = shape.value_dim;
  kernel.context = shape.context;
  kernel.window = shape.window;
  kernel.selected = shape.selected;
  // Scores and weighted values are two GEMMs; a causal mask leaves half of each.
  const double tokens = static_cast<double>(shape.batch * shape.sequence);
  const double width = static_cast<double>(shape.heads * (shape.head_dim + shape.value_dim));
  kernel.flops =
      Flops{gemms * tokens * attended(shape) * 2.0 * width / static_cast<double>(shape.context)};
  const std::int64_t rows = shape.batch * shape.sequence;
  const std::int64_t query_and_output = shape.heads * (shape.head_dim + shape.value_dim);
  const std::int64_t key_and_value = shape.kv_heads * (shape.head_dim + shape.value_dim);
  kernel.bytes = Bytes{rows * (query_and_output / shape.context + key_and_value) * bf16_bytes};
  return kernel;
}

} // namespace

std::int64_t cast_launches(const Kernel& kernel) {
  if (kernel.cast.input == 0)
    return 0;
  return kernel.cast.together ? 1 : kernel.groups;
}

Kernel gemm(KernelPart part, Precision precision, std::int64_t m, std::int64_t n, std::int64_t k) {
  Kernel kernel = grouped_gemm(part, precision, 1, m, n, k);
  kernel.kind = KernelKind::gemm;
  return kernel;
}

Kernel grouped_gemm(KernelPart part, Precision precision, std::int64_t groups, std::int64_t m,
                    std::int64_t n, std::int64_t k) {
  Kernel kernel;
  kernel.kind = KernelKind::grouped_gemm;
  kernel.part = part;
  kernel.precision = precision;
  kernel.m = m;
  kernel.n = n;
  kernel.k = k;
  kernel.groups = groups;
  kernel.flops = Flops{2.0 * static_cast<double>(m * n) * static_cast<double>(k * groups)};
  kernel.bytes = Bytes{groups * (operand_bytes(precision, m * k + k * n) + m * n * bf16_bytes)};
  return kernel;
}

Kernel grouped_data_gradient(KernelPart part, Precision precision, std::int64_t groups,
                             std::int64_t m, std::int64_t n, std::int64_t k) {
  Kernel kernel = grouped_gemm(part, precision, groups, m, n, k);
  kernel.kind = KernelKind::grouped_data_gradient;
  return kernel;
}

Kernel grouped_weight_gradient(KernelPart part, Precision precision, std::int64_t groups,
                               std::int64_t m, std::int64_t n, std::int64_t k) {
  // The gradient of a weight is the GEMM k × m by m × n.
  Kernel kernel = grouped_gemm(part, precision, groups, k, n, m);
  kernel.kind = KernelKind::grouped_weight_gradient;
  kernel.m = m;
  kernel.k = k;
  return kernel;
}

Kernel batched_gemm(KernelPart part, std::int64_t batch, std::int64_t m, std::int64_t n,
                    std::int64_t k) {
  Kernel kernel = grouped_gemm(part, Precision::bf16, batch, m, n, k);
  kernel.kind = KernelKind::batched_gemm;
  return kernel;
}

Kernel attention_forward(const AttentionShape& shape) {
  return attention(KernelKind::attention_forward, shape, 1.0);
}

Kernel attention_backward(const AttentionShape& shape) {
  Kernel kernel = attention(KernelKind::attention_backward, shape, attention_backward_flops_ratio);
  kernel.bytes = kernel.bytes * 2;
  return kernel;
}

Kernel token_scan(Bytes bytes, Flops flops, std::int64_t launches) {
  Kernel kernel = memory_bound(KernelPart::attention, bytes);
  kernel.kind = KernelKind::token_scan;
  kernel.flops = flops;
  kernel.gradient_bytes =
      Bytes{std::llround(scan_gradient_ratio * static_cast<double>(bytes.value))};
  kernel.launches = launches;
  kernel.gradient_launches = launches;
  return kernel;
}

double mean_keys(std::int64_t sequence, std::int64_t most) {
  const auto whole = static_cast<double>(sequence);
  if (most <= 0 || most >= sequence)
    return whole / 2.0;
  const auto keys = static_cast<double>(most);
  return keys * (1.0 - keys / (2.0 * whole));
}

Kernel memory_bound(KernelPart part, Bytes bytes) {
  Kernel kernel;
  kernel.kind = KernelKind::memory_bound;
  kernel.part = part;
  kernel.bytes = bytes;
  kernel.gradient_bytes = part == KernelPart::permute ? bytes : bytes * 2;
  return kernel;
}

} // namespace moesim
