#include "sim/cost/compute_cost.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/beside_communication.hpp"
#include "sim/cost/collective_table.hpp"
#include "sim/cost/kernel_tables.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moesim {

namespace {

/// The table that times a kernel where there is one; nothing for memory-bound kernels.
std::optional<KernelTable> table_of(KernelKind kind) {
  switch (kind) {
  case KernelKind::gemm:
  case KernelKind::batched_gemm:
    return KernelTable::gemm;
  case KernelKind::grouped_gemm:
  case KernelKind::grouped_data_gradient:
  case KernelKind::grouped_weight_gradient:
    return KernelTable::grouped_gemm;
  case KernelKind::attention_forward:
  case KernelKind::attention_backward:
    return KernelTable::attention;
  case KernelKind::token_scan:
  case KernelKind::memory_bound:
    break;
  }
  return std::nullopt;
}

} // namespace

ComputeCost::ComputeCost(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
ComputeCost::ComputeCost(ComputeCost&&) noexcept = default;
ComputeCost& ComputeCost::operator=(ComputeCost&&) noexcept = default;
ComputeCost::~ComputeCost() = default;

ComputeCost ComputeCost::load(const std::filesystem::path& calibration, const DevicePeaks& peaks,
                              Precisions precisions) {
  return ComputeCost(std::make_unique<Tables>(calibration, peaks, precisions));
}

KernelTime ComputeCost::time(const Kernel& kernel) const {
  return time(kernel, tables_->sustained.rate_of(tables_->executed(kernel)));
}

Seconds ComputeCost::benchmark_time(const Kernel& kernel) const {
  return time(kernel, 1.0).time;
}

KernelTime ComputeCost::time(const Kernel& kernel, double sustained) const {
  const Tables& tables = *tables_;
  const Kernel executed = tables.executed(kernel);
  const Precision tabled =
      executed.precision == Precision::nvfp4 ? Precision::fp8 : executed.precision;
  INVARIANT(std::find(tables.precisions.begin(), tables.precisions.end(), tabled) !=
                tables.precisions.end(),
            "no tables of {} were read", name_of(precision_names, tabled));
  Estimate estimate = tables.estimate(executed);
  const auto& [stretched, by] = stretched_;
  if (table_of(executed.kind) == stretched && estimate.basis != CostBasis::datasheet)
    estimate.seconds *= 1.0 + by.ratio + by.errors * std::sqrt(estimate.squared_error);
  estimate.seconds *= tables.constants.time_ratio(executed.part);
  // No kernel is faster than the datasheet's peak.
  const Seconds computed = executed.flops / tables.peak(executed.precision);
  estimate.seconds = std::max(estimate.seconds, computed.value);
  estimate.seconds /= sustained;
  estimate.follow(tables.cast_time(executed));
  // The GEMMs of the tables do not accumulate: add the time to read and write the sum.
  const Uncertain& share = tables.constants.accumulation_bandwidth_share;
  const Seconds added = executed.accumulated / tables.peaks.memory_bandwidth / share.value;
  estimate.follow({added.value, CostBasis::measured, share.error * share.error});
  return {Seconds{estimate.seconds}, estimate.basis, std::sqrt(estimate.squared_error),
          estimate.stand_in};
}

const std::string& ComputeCost::nearest_of_unlisted() const {
  return tables_->nearest_of_unlisted;
}

const HostCost& ComputeCost::host() const {
  return tables_->host;
}

double ComputeCost::common_error() const {
  return tables_->sustained.ratio.error;
}

std::string ComputeCost::sms_interconnect() const {
  return tables_->constants.sms_on(tables_->peaks.scale_up_interconnect).first;
}

double ComputeCost::slowdown_beside(Collective communication) const {
  return slowdown_of_sms(tables_->constants, tables_->peaks, communication);
}

double ComputeCost::bandwidth_slowdown_beside(BytesPerSecond taken, double streaming) const {
  return slowdown_of_bandwidth(tables_->constants, tables_->peaks, taken, streaming);
}

Uncertain ComputeCost::rate_in_training(Collective communication,
                                        const std::string& interconnect) const {
  if (communication.pattern == Pattern::all_to_all && interconnect == "efa")
    return tables_->constants.efa_all_to_all_in_training_ratio;
  return {1.0, 0.0};
}

Uncertain ComputeCost::rate_beside_compute(Collective communication) const {
  if (is_token_exchange(communication))
    return tables_->constants.expert_kernel_beside_compute_ratio;
  if (communication.pattern == Pattern::all_to_all)
    return tables_->constants.all_to_all_beside_compute_ratio;
  return {1.0, 0.0};
}

} // namespace moesim
