#include "sim/metrics/error_bar.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

const char* name_of(KernelKind kind) {
  switch (kind) {
  case KernelKind::gemm:
    return "matrix products";
  case KernelKind::grouped_gemm:
  case KernelKind::grouped_data_gradient:
    return "grouped products";
  case KernelKind::grouped_weight_gradient:
    return "gradients of grouped weights";
  case KernelKind::batched_gemm:
    return "batched products of attention";
  case KernelKind::attention_forward:
    return "attention";
  case KernelKind::attention_backward:
    return "attention backward";
  case KernelKind::token_scan:
    return "scans over tokens";
  case KernelKind::memory_bound:
    break;
  }
  return "memory-bound kernels";
}

const char* name_of(CostBasis basis) {
  switch (basis) {
  case CostBasis::measured:
    return "measured";
  case CostBasis::beyond_table:
    return "sizes beyond the table";
  case CostBasis::rule:
    return "a table under a rule";
  case CostBasis::other_experts:
    return "other expert sizes";
  case CostBasis::other_device:
    return "another GPU's table";
  case CostBasis::datasheet:
    break;
  }
  return "a share of the datasheet";
}

/// The kind whose tables time a kernel, and with whose errors its own add up: data gradients of
/// grouped GEMMs take the tables of forward passes.
KernelKind timed_as(KernelKind kind) {
  return kind == KernelKind::grouped_data_gradient ? KernelKind::grouped_gemm : kind;
}

} // namespace

void ErrorBar::add_kernel(const Kernel& kernel, const KernelTime& time, double runs) {
  const Seconds total = time.time * runs;
  const KernelKind kind = timed_as(kernel.kind);
  errors_[index(kind)] += total * time.error;
  if (kernel.kind != KernelKind::memory_bound)
    gemms_and_attention_ += total;
  if (time.basis != CostBasis::measured)
    extrapolated_[{kind, time.basis}] += total;
  if (time.stand_in)
    stand_ins_.insert(std::string(name_of(kind)) + ": the table of " + *time.stand_in);
}

void ErrorBar::add_collective(Stream stream, Seconds time, double error) {
  collectives_[stream].time += time;
  collectives_[stream].error += time * error;
}

Seconds ErrorBar::half_width(const std::map<Stream, Seconds>& exposed,
                             Seconds waited_for_host) const {
  const double common = gemms_and_attention_.value * cost_.common_error();
  const double host =
      waited_for_host.value * cost_.host().launch_error(host_.operators, host_.launches);
  double squares = common * common + host * host;
  for (const Seconds error : errors_)
    squares += error.value * error.value;
  for (const auto& [stream, waited] : exposed)
    if (const auto found = collectives_.find(stream);
        found != collectives_.end() && found->second.time > Seconds{}) {
      const double error = waited.value * (found->second.error / found->second.time);
      squares += error * error;
    }
  return {std::sqrt(squares)};
}

std::vector<ExtrapolatedCost> ErrorBar::extrapolated() const {
  std::vector<ExtrapolatedCost> costs;
  for (const auto& [key, time] : extrapolated_)
    costs.push_back({std::string(name_of(key.first)) + ": " + name_of(key.second), time});
  std::stable_sort(costs.begin(), costs.end(),
                   [](const auto& a, const auto& b) { return a.time > b.time; });
  return costs;
}

} // namespace moesim
