#include "sim/cost/kernel_tables.hpp"

#include "sim/cost/lent_tables.hpp"
#include "sim/cost/measured_tables.hpp"

#include <cmath>
#include <type_traits>
#include <utility>

namespace moesim {

template <typename Grid>
Source<Grid> ComputeCost::Tables::source(Grid grid, const TableFolder& folder,
                                         const ComputeErrors& errors, const char* table,
                                         Precision precision) const {
  const std::string device = folder.path.filename().string();
  Source<Grid> source{
      std::move(grid), folder.measured_on, folder.borrowed, folder.borrowed ? device : "", {}};
  if (folder.measured_on)
    source.other_device |=
        !same_rates(*folder.measured_on, {peaks.bf16, peaks.fp8, peaks.memory_bandwidth});
  const auto read = [&](const std::string& whose, ErrorCase error_case) {
    source.errors[index(error_case)] = errors.p90(whose, table, precision, error_case);
  };
  read(device, ErrorCase::inside);
  read(device, ErrorCase::edge);
  if constexpr (std::is_same_v<Grid, ExpertTables>)
    read(device, ErrorCase::other_experts);
  if (source.other_device)
    read("any", ErrorCase::other_device);
  return source;
}

ComputeCost::Tables::Tables(const std::filesystem::path& calibration, const DevicePeaks& device,
                            Precisions read)
    : peaks(device), constants(ComputeConstants::read(calibration / "compute_constants.csv",
                                                      calibration / device.kind / measured_folder /
                                                          ComputeConstants::measured_file)),
      host(calibration, {device.host, device.host_place}, constants),
      precisions(read.begin(), read.end()) {
  const PeakRates rates{device.bf16, device.fp8, device.memory_bandwidth};
  const GpuKinds kinds = GpuKinds::read(calibration);
  const bool known = kinds.know(device.kind);
  if (!known) {
    kinds.check_spelling({device.kind, device.kind_place}, rates);
    nearest_of_unlisted = kinds.nearest(rates);
  }
  sustained = sustained_throughput(calibration, device.kind,
                                   known ? constants.sustained_throughput_ratio
                                         : constants.unlisted_gpu_throughput_ratio);
  const ComputeErrors errors = ComputeErrors::read(calibration / "compute_errors.csv");
  for (const TableFolder& folder : kinds.folders_of(device.kind, rates)) {
    if (complete())
      break; // nearer kinds have all tables
    DeviceGrids grids =
        DeviceGrids::load(folder.path, attention_rules(constants),
                          lenders_of(kinds, folder.path.filename().string()), precisions);
    for (const Precision precision : precisions) {
      const std::size_t number = index(precision);
      if (!experts[number] && !grids.experts[number].empty())
        experts[number] =
            source(ExpertTables{std::move(grids.experts[number]), *grids.gemm[number]}, folder,
                   errors, "expert", precision);
      if (gemm[number] || !grids.gemm[number])
        continue;
      gemm[number] = source(*grids.gemm[number], folder, errors, "gemm", precision);
      const auto& from = folder.measured_on;
      if (grids.casts[number])
        casts[number] = {*grids.casts[number], from ? from->memory / peaks.memory_bandwidth : 1.0};
    }
    if (!attention && grids.attention.forward)
      attention = source(std::move(grids.attention), folder, errors, "attention", Precision::bf16);
  }
}

Estimate ComputeCost::Tables::streamed(Bytes bytes, std::int64_t launches) const {
  const Uncertain& share = constants.memory_bandwidth_share;
  const Uncertain& fixed = constants.kernel_fixed_time_us;
  const Seconds stream = bytes / peaks.memory_bandwidth / share.value;
  const Seconds start = microseconds(fixed.value) * static_cast<double>(launches);
  const double total = (stream + start).value;
  const double error = std::hypot(stream.value * share.error, start.value * fixed.error);
  return {total, CostBasis::datasheet, error * error / (total * total)};
}

/// The time of the casts before a GEMM.
Estimate ComputeCost::Tables::cast_time(const Kernel& kernel) const {
  const std::int64_t launches = cast_launches(kernel);
  if (launches == 0 || !is_quantised(kernel.precision))
    return {};
  const bool by_group = launches > 1 && kernel.precision == Precision::fp8;
  const Uncertain& ratio =
      by_group ? constants.mx_grouped_cast_time_ratio : constants.cast_time_ratio;
  const auto& from = casts[index(kernel.precision)]; // none of NVFP4
  if (!from) {
    Estimate estimate = streamed(Bytes{kernel.groups * kernel.m * kernel.k * kernel.cast.input});
    estimate.seconds *= constants.cast_time_ratio.value;
    estimate.squared_error += ratio.error * ratio.error;
    return estimate;
  }
  const double rows = static_cast<double>(kernel.groups * kernel.m / launches);
  const double timed = from->grid.times.at({rows, static_cast<double>(kernel.k)}).seconds;
  const double moved = static_cast<double>(launches * kernel.cast.input);
  return {timed * moved / from->grid.bytes_per_value * from->slowdown * ratio.value,
          CostBasis::measured, ratio.error * ratio.error};
}

Estimate ComputeCost::Tables::roofline(const Kernel& kernel, const Uncertain& efficiency) const {
  const Seconds computed = kernel.flops / peak(kernel.precision) / std::min(1.0, efficiency.value) +
                           microseconds(constants.kernel_fixed_time_us.value);
  const Estimate memory = streamed(kernel.bytes);
  if (computed.value < memory.seconds)
    return memory;
  return {computed.value, CostBasis::datasheet, efficiency.error * efficiency.error};
}

template <typename Grid>
void ComputeCost::Tables::add_device_error(const Source<Grid>& from, const Kernel& kernel,
                                           Estimate& estimate) const {
  if (!from.other_device)
    return;
  estimate.depends_on(CostBasis::other_device, from.error(ErrorCase::other_device));
  if (!from.stand_in.empty())
    estimate.stand_in = &from.stand_in;
  if (from.measured_on)
    estimate.seconds *=
        rate_ratio(kernel, *from.measured_on, {peaks.bf16, peaks.fp8, peaks.memory_bandwidth});
}

template <typename Grid>
Estimate ComputeCost::Tables::table_time(const Source<Grid>& from, const TimeGrid& grid,
                                         const TimeGrid::Shape& shape, const Kernel& kernel) const {
  const TimeGrid::Lookup found = grid.at(shape);
  Estimate estimate{.seconds = found.seconds};
  from.add_shape_error(found.measured, estimate);
  add_device_error(from, kernel, estimate);
  return estimate;
}

Estimate ComputeCost::Tables::gemm_time(const Kernel& kernel) const {
  const std::optional<Source<TimeGrid>>& from = gemm[index(kernel.precision)];
  if (!from)
    return roofline(kernel, constants.gemm_roofline_efficiency);
  return table_time(
      *from, from->grid,
      {static_cast<double>(kernel.m), static_cast<double>(kernel.n), static_cast<double>(kernel.k)},
      kernel);
}

Estimate ComputeCost::Tables::grouped_time(const Kernel& kernel) const {
  const bool gradient = kernel.kind == KernelKind::grouped_weight_gradient;
  const std::optional<Source<ExpertTables>>& from = experts[index(kernel.precision)];
  const bool single_timed = from && times_one_group(from->grid.experts, grouped_gemm_of(kernel));
  if (kernel.groups == 1 && !single_timed) // a single GEMM
    return gemm_time(
        gradient ? moesim::gemm(kernel.part, kernel.precision, kernel.k, kernel.n, kernel.m)
                 : moesim::gemm(kernel.part, kernel.precision, kernel.m, kernel.n, kernel.k));
  if (!from) {
    Estimate estimate = gemm_time(
        moesim::gemm(kernel.part, kernel.precision, kernel.groups * kernel.m, kernel.n, kernel.k));
    estimate.divide_by(constants.grouped_gemm_ratio);
    if (gradient)
      estimate.divide_by(constants.grouped_weight_gradient_ratio);
    return estimate;
  }
  const auto& [tables, single] = from->grid;
  GroupedGemm shape = grouped_gemm_of(kernel);
  std::optional<ExpertTime> found = expert_time(tables, single, shape);
  const bool by_rule = !found; // no table of this pass: take those of another
  if (by_rule) {
    shape.pass = gradient ? GemmPass::forward : GemmPass::weight_gradient;
    found = expert_time(tables, single, shape);
  }
  Estimate estimate{.seconds = found->seconds};
  from->add_shape_error(found->measured, estimate);
  if (found->scaled)
    estimate.depends_on(CostBasis::rule, 0.0);
  if (found->other)
    estimate.depends_on(CostBasis::other_experts, from->error(ErrorCase::other_experts));
  if (by_rule)
    estimate.divide_by(constants.grouped_weight_gradient_ratio);
  add_device_error(*from, kernel, estimate);
  // Scaled times, too, are no less than that of one GEMM with the rows of all groups.
  if (from->other_device)
    estimate.seconds = std::max(
        estimate.seconds, gemm_time(moesim::gemm(kernel.part, kernel.precision,
                                                 kernel.groups * kernel.m, kernel.n, kernel.k))
                              .seconds);
  estimate.seconds = std::max(estimate.seconds, (kernel.bytes / peaks.memory_bandwidth).value);
  return estimate;
}

Estimate ComputeCost::Tables::attention_time(const Kernel& kernel) const {
  AttentionChoice choice{.latent_by_rule = false,
                         .backward_by_rule = kernel.kind == KernelKind::attention_backward};
  Estimate estimate;
  if (kernel.selected > 0 || kernel.value_dim == 0) { // of an indexer's tokens, or its scores
    choice.latent_by_rule = false;
    estimate = roofline(kernel, constants.sparse_attention_efficiency);
  } else if (attention) {
    choice = choose_attention(attention->grid, kernel);
    const TimeGrid::Shape shape = {
        static_cast<double>(kernel.batch), static_cast<double>(kernel.sequence),
        static_cast<double>(kernel.heads), static_cast<double>(kernel.kv_heads),
        static_cast<double>(kernel.value_dim)};
    estimate = table_time(*attention, *choice.grid, shape, kernel);
    // FLOPs of the grids' kernel: forward, with query heads as wide as value heads.
    const double flops = 2.0 * shape[0] * shape[1] * shape[1] * shape[2] * shape[4];
    estimate.seconds *= kernel.flops.value / flops;
  } else {
    estimate = roofline(kernel, constants.attention_roofline_efficiency);
  }
  if (choice.latent_by_rule)
    estimate.divide_by(constants.attention_mla_efficiency_ratio);
  if (choice.backward_by_rule)
    estimate.divide_by(constants.attention_backward_efficiency_ratio);
  return estimate;
}

/// The time of a GEMM in NVFP4: that of fp8, scaled by the peaks and bytes of both. The share of
/// the peak that is lost to small shapes is taken for the same.
Estimate ComputeCost::Tables::nvfp4_time(const Kernel& kernel) const {
  Kernel in_fp8 = kernel;
  in_fp8.precision = Precision::fp8;
  const bool gradient = kernel.kind == KernelKind::grouped_weight_gradient;
  const std::int64_t results = gradient ? kernel.k * kernel.n : kernel.m * kernel.n;
  const std::int64_t operands =
      kernel.m * kernel.k + kernel.k * kernel.n + kernel.m * kernel.n - results;
  in_fp8.bytes = Bytes{kernel.groups * (operands + results * bf16_bytes)};
  Estimate found = estimate(in_fp8);
  const Seconds there = std::max(in_fp8.flops / peaks.fp8, in_fp8.bytes / peaks.memory_bandwidth);
  const Seconds here = std::max(kernel.flops / peaks.fp4, kernel.bytes / peaks.memory_bandwidth);
  found.seconds *= here / there;
  found.depends_on(CostBasis::rule, 0.0);
  found.divide_by(constants.nvfp4_efficiency_ratio);
  return found;
}

Estimate ComputeCost::Tables::estimate(const Kernel& kernel) const {
  if (kernel.precision == Precision::nvfp4)
    return nvfp4_time(kernel);
  switch (kernel.kind) {
  case KernelKind::gemm:
    return gemm_time(kernel);
  case KernelKind::grouped_gemm:
  case KernelKind::grouped_data_gradient:
  case KernelKind::grouped_weight_gradient: {
    Estimate estimate = grouped_time(kernel);
    if (kernel.groups > 1)
      estimate.seconds *=
          1.0 + constants.grouped_gemm_imbalance_slope * (kernel.busiest_over_mean - 1.0);
    if (kernel.bias)
      estimate.divide_by(constants.grouped_bias_efficiency_ratio);
    return estimate;
  }
  case KernelKind::batched_gemm: { // as one GEMM with all rows: the same FLOPs, the same result
    Estimate estimate = gemm_time(
        moesim::gemm(kernel.part, kernel.precision, kernel.groups * kernel.m, kernel.n, kernel.k));
    estimate.seconds = std::max(estimate.seconds, streamed(kernel.bytes, 0).seconds);
    return estimate;
  }
  case KernelKind::attention_forward:
  case KernelKind::attention_backward:
    return attention_time(kernel);
  case KernelKind::token_scan: {
    Estimate estimate = streamed(kernel.bytes, kernel.launches);
    estimate.divide_by(constants.scan_efficiency_ratio);
    return estimate;
  }
  case KernelKind::memory_bound:
    break;
  }
  return streamed(kernel.bytes, kernel.launches);
}

Kernel ComputeCost::Tables::executed(const Kernel& kernel) const {
  Kernel executed = kernel;
  // A GPU without fp8 arithmetic, whose fp8 peak is that of bf16, runs fp8 GEMMs as bf16.
  if (peaks.fp8 <= peaks.bf16)
    executed.precision = Precision::bf16;
  return executed;
}

} // namespace moesim
