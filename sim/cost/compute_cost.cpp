#include "sim/cost/compute_cost.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/compute_constants.hpp"
#include "sim/cost/compute_devices.hpp"
#include "sim/cost/compute_tables.hpp"
#include "sim/cost/shape_grid.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace moesim {

namespace {

/// One product m × k by k × n; real numbers, since edges of the tables bound them.
struct Product {
  double m = 0.0;
  double n = 0.0;
  double k = 0.0;

  double flops() const { return 2.0 * m * n * k; }
};

/// The experts of one layer kind: how much less efficient than one product of as many rows the
/// grouped products are, over (groups, tokens per group).
struct ExpertRatio {
  double hidden_log2 = 0.0;
  double moe_ffn_log2 = 0.0;
  ShapeGrid ratio;
};

/// What a grouped product is to the layer kind nearest to it.
struct ExpertMatch {
  const ExpertRatio* experts = nullptr;
  double distance = std::numeric_limits<double>::infinity(); ///< octaves of hidden plus of moe_ffn
};

struct Bound {
  Seconds time;
  bool measured = false;
};

} // namespace

struct ComputeCost::Tables {
  DevicePeaks peaks;
  bool borrowed = false; ///< the tables are those of another GPU kind
  ComputeConstants constants;
  std::array<std::optional<ShapeGrid>, 2> gemm; ///< efficiency over (m, n, k), by precision
  std::array<std::vector<ExpertRatio>, 2> experts;
  std::optional<ShapeGrid> attention; ///< efficiency over the columns of attention.csv

  static constexpr std::array<Precision, 2> precisions = {Precision::bf16, Precision::fp8};
  static std::size_t at(Precision precision) { return precision == Precision::bf16 ? 0 : 1; }
  FlopsPerSecond peak(Precision precision) const {
    return precision == Precision::fp8 ? peaks.fp8 : peaks.bf16;
  }
  /// A GPU without fp8 arithmetic, whose fp8 peak is that of bf16, runs fp8 products as bf16.
  Precision executed(Precision precision) const {
    return peaks.fp8 > peaks.bf16 ? precision : Precision::bf16;
  }
  Seconds streamed(Bytes bytes) const {
    return bytes / peaks.memory_bandwidth / constants.memory_bandwidth_share;
  }

  void load_gemm(const std::filesystem::path& folder);
  void load_experts(const std::filesystem::path& folder);
  void load_attention(const std::filesystem::path& folder);

  Bound product_time(const ShapeGrid& grid, Precision precision, Product product) const;
  ExpertMatch match(Precision precision, const Product& product) const;
  KernelTime roofline(const Kernel& kernel, double efficiency) const;
  KernelTime gemm_time(const Kernel& kernel) const;
  KernelTime grouped_gemm_time(const Kernel& kernel) const;
  KernelTime attention_time(const Kernel& kernel) const;
};

void ComputeCost::Tables::load_gemm(const std::filesystem::path& folder) {
  for (const Precision precision : precisions) {
    TimeTable points = read_gemm_table(folder, precision);
    if (points.empty())
      continue;
    for (ShapeGrid::Point& point : points) {
      const Product product{point.shape[0], point.shape[1], point.shape[2]};
      point.value = std::min(1.0, product.flops() / point.value / peak(precision).value);
    }
    gemm[at(precision)].emplace(3, points);
  }
}

void ComputeCost::Tables::load_experts(const std::filesystem::path& folder) {
  for (const Precision precision : precisions) {
    const std::optional<ShapeGrid>& grid = gemm[at(precision)];
    if (!grid)
      continue;
    for (ExpertTable& table : read_grouped_gemm_table(folder, precision)) {
      for (ShapeGrid::Point& point : table.times) {
        const double rows = point.shape[0] * point.shape[1];
        const Product gate_up{rows, 2.0 * table.moe_ffn, table.hidden};
        const Product down{rows, table.hidden, table.moe_ffn};
        const Seconds single = product_time(*grid, precision, gate_up).time +
                               product_time(*grid, precision, down).time;
        point.value = std::min(1.0, single.value / point.value);
      }
      experts[at(precision)].push_back(
          {std::log2(table.hidden), std::log2(table.moe_ffn), ShapeGrid(2, table.times)});
    }
  }
}

void ComputeCost::Tables::load_attention(const std::filesystem::path& folder) {
  TimeTable points = read_attention_table(folder);
  if (points.empty())
    return;
  for (ShapeGrid::Point& point : points) {
    const auto& [batch, sequence, heads, kv_heads, head_dim] = point.shape;
    const double flops = 2.0 * batch * heads * sequence * sequence * head_dim;
    point.value = std::min(1.0, flops / point.value / peaks.bf16.value);
  }
  attention.emplace(5, points);
}

// Sizes below the table are padded to its edge, as the kernels pad their tiles; above the table the
// efficiency stays that of the edge.
Bound ComputeCost::Tables::product_time(const ShapeGrid& grid, Precision precision,
                                        Product product) const {
  const ShapeGrid::Lookup efficiency = grid.at({product.m, product.n, product.k});
  const Product padded{std::max(product.m, grid.lowest(0)), std::max(product.n, grid.lowest(1)),
                       std::max(product.k, grid.lowest(2))};
  return {Flops{padded.flops()} / peak(precision) / efficiency.value, efficiency.measured};
}

// The layer kind whose (hidden, moe_ffn) is nearest, in octaves: the weight is n × k of gate and up
// together (2 × moe_ffn) or of down, as stored or transposed. The first of equals wins. Weight
// gradients, whose k counts the tokens, have no table of their own and are met by the kind that is
// nearest to their shape.
ExpertMatch ComputeCost::Tables::match(Precision precision, const Product& product) const {
  const double n = std::log2(product.n);
  const double k = std::log2(product.k);
  const std::array<std::pair<double, double>, 4> roles = {
      {{k, n - 1.0}, {n, k}, {n, k - 1.0}, {k, n}}};
  ExpertMatch best;
  for (const ExpertRatio& candidate : experts[at(precision)]) {
    for (const auto& [hidden, moe_ffn] : roles) {
      const double distance =
          std::abs(hidden - candidate.hidden_log2) + std::abs(moe_ffn - candidate.moe_ffn_log2);
      if (distance < best.distance)
        best = {&candidate, distance};
    }
  }
  return best;
}

KernelTime ComputeCost::Tables::roofline(const Kernel& kernel, double efficiency) const {
  const Seconds computed = kernel.flops / peak(kernel.precision) / std::min(1.0, efficiency);
  return {std::max(computed, streamed(kernel.bytes)) + constants.kernel_fixed_time,
          CostBasis::datasheet};
}

KernelTime ComputeCost::Tables::gemm_time(const Kernel& kernel) const {
  const Precision precision = executed(kernel.precision);
  const std::optional<ShapeGrid>& grid = gemm[at(precision)];
  if (!grid)
    return roofline(kernel, constants.gemm_roofline_efficiency);
  const Product product{static_cast<double>(kernel.m), static_cast<double>(kernel.n),
                        static_cast<double>(kernel.k)};
  const Bound bound = product_time(*grid, precision, product);
  return {bound.time, bound.measured ? CostBasis::measured : CostBasis::extrapolated};
}

// A grouped product fills the GPU like one product with the rows of all groups; the ratio takes in
// what differs: the weights of every group are read, and tiles end with their group.
KernelTime ComputeCost::Tables::grouped_gemm_time(const Kernel& kernel) const {
  const Precision precision = executed(kernel.precision);
  const std::optional<ShapeGrid>& grid = gemm[at(precision)];
  if (!grid)
    return roofline(kernel, constants.gemm_roofline_efficiency * constants.grouped_gemm_ratio);
  const auto groups = static_cast<double>(kernel.groups);
  Product product{static_cast<double>(kernel.m), static_cast<double>(kernel.n),
                  static_cast<double>(kernel.k)};
  double ratio = constants.grouped_gemm_ratio;
  bool measured = false;
  Seconds floor = streamed(kernel.bytes);
  if (const ExpertMatch nearest = match(precision, product); nearest.experts) {
    const ShapeGrid::Lookup found = nearest.experts->ratio.at({groups, product.m});
    product.m = std::max(product.m, nearest.experts->ratio.lowest(1));
    // Above the table the time lost against a single product stays: it is spent on reading the
    // weights of all groups and on fixed costs, which do not grow with the tokens.
    const double beyond = std::max(1.0, product.m / nearest.experts->ratio.highest(1));
    ratio = 1.0 / (1.0 + (1.0 / found.value - 1.0) / beyond);
    measured = found.measured && nearest.distance == 0.0;
    floor = kernel.bytes / peaks.memory_bandwidth;
  }
  product.m *= groups;
  const Bound single = product_time(*grid, precision, product);
  return {std::max(single.time / ratio, floor),
          measured && single.measured ? CostBasis::measured : CostBasis::extrapolated};
}

KernelTime ComputeCost::Tables::attention_time(const Kernel& kernel) const {
  const bool backward = kernel.kind == KernelKind::attention_backward;
  const bool latent = kernel.head_dim != kernel.value_dim;
  double factor = backward ? constants.attention_backward_efficiency_ratio : 1.0;
  if (!attention)
    return roofline(kernel, constants.attention_roofline_efficiency * factor);
  if (latent)
    factor *= constants.attention_mla_efficiency_ratio;
  const std::array<double, 3> sizes = {static_cast<double>(kernel.batch),
                                       static_cast<double>(kernel.sequence),
                                       static_cast<double>(kernel.heads)};
  const ShapeGrid::Lookup found =
      attention->at({sizes[0], sizes[1], sizes[2], static_cast<double>(kernel.kv_heads),
                     static_cast<double>(kernel.value_dim)});
  double padding = 1.0;
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    const double grown = std::max(1.0, attention->lowest(axis) / sizes[axis]);
    padding *= axis == 1 ? grown * grown : grown;
  }
  const double efficiency = std::min(1.0, found.value * factor);
  return {kernel.flops * padding / peaks.bf16 / efficiency,
          found.measured && !latent && !backward ? CostBasis::measured : CostBasis::extrapolated};
}

ComputeCost::ComputeCost(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
ComputeCost::ComputeCost(ComputeCost&&) noexcept = default;
ComputeCost& ComputeCost::operator=(ComputeCost&&) noexcept = default;
ComputeCost::~ComputeCost() = default;

ComputeCost ComputeCost::load(const std::filesystem::path& calibration, const DevicePeaks& peaks) {
  auto tables = std::make_unique<Tables>();
  tables->peaks = peaks;
  tables->constants = ComputeConstants::read(calibration / "compute_constants.csv");
  const DeviceTables device = find_device_tables(calibration, peaks.kind);
  if (!device.folder)
    return ComputeCost(std::move(tables));
  // Efficiencies are shares of the peaks of the GPU that was measured.
  if (device.measured_on) {
    tables->borrowed = true;
    tables->peaks.bf16 = device.measured_on->bf16;
    tables->peaks.fp8 = device.measured_on->fp8;
  }
  tables->load_gemm(*device.folder);
  tables->load_experts(*device.folder);
  tables->load_attention(*device.folder);
  tables->peaks = peaks;
  return ComputeCost(std::move(tables));
}

KernelTime ComputeCost::time(const Kernel& kernel) const {
  const Tables& tables = *tables_;
  KernelTime result;
  switch (kernel.kind) {
  case KernelKind::gemm:
    result = tables.gemm_time(kernel);
    break;
  case KernelKind::grouped_gemm:
    result = tables.grouped_gemm_time(kernel);
    break;
  case KernelKind::attention_forward:
  case KernelKind::attention_backward:
    result = tables.attention_time(kernel);
    break;
  case KernelKind::memory_bound:
    return {tables.streamed(kernel.bytes) + tables.constants.kernel_fixed_time,
            CostBasis::datasheet};
  }
  if (tables.borrowed && result.basis == CostBasis::measured)
    result.basis = CostBasis::extrapolated;
  result.time = result.time / std::min(1.0, tables.constants.sustained_throughput_ratio);
  return result;
}

double ComputeCost::slowdown_beside(Collective communication) const {
  const ComputeConstants& constants = tables_->constants;
  const std::string& medium = tables_->peaks.scale_up_medium;
  const CommunicationSms& sms = medium == "pcie"      ? constants.sms_pcie
                                : medium == "nvlink3" ? constants.sms_nvlink3
                                : medium == "nvlink4" ? constants.sms_nvlink4
                                                      : constants.sms_nvlink5;
  double held = sms.ring;
  switch (communication) {
  case Collective::dispatch:
  case Collective::combine:
  case Collective::dispatch_forward:
  case Collective::combine_forward:
  case Collective::hybrid_dispatch:
  case Collective::hybrid_combine:
    held = constants.expert_kernel_sms;
    break;
  case Collective::all_to_all:
  case Collective::point_to_point:
    held = sms.send_receive;
    break;
  case Collective::all_reduce_in_switch:
    held = sms.in_switch;
    break;
  default:
    break;
  }
  const auto all = static_cast<double>(tables_->peaks.sms);
  INVARIANT(held < all, "{} of {} SMs held", held, all);
  return all / (all - held);
}

} // namespace moesim
