#include "sim/calibrate/constants_fit.hpp"

#include "sim/base/median.hpp"
#include "sim/base/output_file.hpp"
#include "sim/calibrate/interference_fit.hpp"
#include "sim/calibrate/streaming_fit.hpp"
#include "sim/cost/compute_cost.hpp"
#include "sim/cost/measured_tables.hpp"
#include "sim/cost/table_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Error of a constant whose rows are few or agree by chance.
constexpr double least_error_percent = 1.0;

/// The fit of one device, in the order in which constants rest on each other.
class Fit {
public:
  Fit(fs::path calibration, const std::string& device, const DeviceRow& row)
      : calibration_(std::move(calibration)),
        folder_(calibration_ / device / measured_folder), peaks_{device,        row.peaks.bf16,
                                                                 row.peaks.fp8, row.peaks.memory,
                                                                 row.sms,       row.scale_up},
        experts_(read_measured_experts(calibration_ / device)) {}

  std::vector<MeasuredConstant> run() {
    fs::remove(file());
    add_streaming();
    add_launch();
    write();
    const ComputeCost cost = ComputeCost::load(calibration_, peaks_);
    add_casts(cost);
    add_router(cost);
    add_permute(cost);
    add_interference(cost);
    add_imbalance();
    write();
    return constants_;
  }

private:
  fs::path file() const { return folder_ / ComputeConstants::measured_file; }
  void write() const;
  void add(const char* name, const char* unit, double value, double error_percent,
           const std::string& table, std::size_t rows) {
    constants_.push_back({name, unit, value,
                          error_percent > 0.0 ? std::max(error_percent, least_error_percent) : 0.0,
                          fmt::format("measured/{}, {} rows", table, rows)});
  }
  void add_share(const char* name, const BandwidthShare& found, const std::string& table) {
    add(name, "ratio", found.share, std::max(found.error_percent, least_error_percent), table,
        found.rows);
  }
  /// Adds the median of measured over predicted times, if there are any.
  void add_ratio(const char* name, const std::string& table, const std::vector<double>& ratios) {
    if (!ratios.empty())
      add(name, "ratio", median(ratios), 0.0, table, ratios.size());
  }
  void add_streaming();
  void add_accumulation(const std::optional<StreamingFit>& streaming,
                        const std::optional<BandwidthShare>& copies);
  void add_launch();
  void add_casts(const ComputeCost& cost);
  void add_router(const ComputeCost& cost);
  void add_permute(const ComputeCost& cost);
  void add_interference(const ComputeCost& cost);
  void add_imbalance();

  fs::path calibration_;
  fs::path folder_;
  DevicePeaks peaks_;
  MeasuredExperts experts_;
  std::vector<MeasuredConstant> constants_;
};

void Fit::write() const {
  if (constants_.empty()) {
    fs::remove(file());
    return;
  }
  std::string text = "# Constants of this device, fitted by moesim calibrate to the tables beside; "
                     "they stand before those of compute_constants.csv.\n"
                     "constant,value,unit,error_percent,provenance,source\n";
  for (const MeasuredConstant& constant : constants_)
    text += fmt::format(
        "{},{:.6g},{},{},measured,\"{}\"\n", constant.name, constant.value, constant.unit,
        constant.error_percent > 0.0 ? fmt::format("{:.1f}", constant.error_percent) : "",
        constant.source);
  write_file(file(), text);
}

void Fit::add_streaming() {
  const std::optional<StreamingFit> streaming = fit_streaming(folder_, peaks_.memory_bandwidth);
  const std::optional<BandwidthShare> copies = copy_share(folder_, peaks_.memory_bandwidth);
  if (streaming) {
    add("memory_bandwidth_share", "ratio", streaming->share, streaming->error_percent,
        "memory_bound.csv", streaming->rows);
    if (streaming->fixed_time_us > 0.0)
      add("kernel_fixed_time", "us", streaming->fixed_time_us, streaming->error_percent,
          "memory_bound.csv", streaming->rows);
  } else if (copies) {
    add_share("memory_bandwidth_share", *copies, "copy.csv");
  }
  add_accumulation(streaming, copies);
}

void Fit::add_accumulation(const std::optional<StreamingFit>& streaming,
                           const std::optional<BandwidthShare>& copies) {
  std::vector<double> shares;
  const auto add_shares = [&](const std::vector<AccumulatedTime>& times) {
    for (const AccumulatedTime& time : times)
      if (time.seconds > 0.0)
        shares.push_back(time.bytes / time.seconds / peaks_.memory_bandwidth.value);
  };
  add_shares(read_measured_gemms(folder_.parent_path()).accumulated);
  add_shares(experts_.accumulated);
  constexpr const char* name = "accumulation_bandwidth_share";
  if (const std::optional<BandwidthShare> sums = share_of(shares))
    add_share(name, *sums, "gemm.csv and expert_gemm.csv");
  else if (copies)
    add_share(name, *copies, "copy.csv");
  else if (streaming)
    add(name, "ratio", streaming->share, streaming->error_percent, "memory_bound.csv",
        streaming->rows);
}

void Fit::add_launch() {
  const auto table = read_table(folder_ / "launch.csv", {"quantity", "time_us"});
  if (!table)
    return;
  constexpr double error_percent = 25.0; // one quantity stands for all that the host does
  for (std::size_t row = 0; row < table->rows(); ++row)
    if (table->view(row, table->column("quantity")) == "host_launch")
      add("host_call_time", "us", table->positive_number(row, table->column("time_us")),
          error_percent, "launch.csv", 1);
}

void Fit::add_casts(const ComputeCost& cost) {
  const auto table = read_table(folder_ / "memory_bound.csv",
                                {"operation", "tokens", "hidden", "bytes", "time_us"});
  if (!table || peaks_.fp8 <= peaks_.bf16)
    return;
  std::vector<double> ratios;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    if (table->view(row, table->column("operation")) != cast_operation)
      continue;
    Kernel kernel =
        gemm(KernelPart::dense, Precision::fp8, whole_at(*table, row, table->column("tokens")), 128,
             whole_at(*table, row, table->column("hidden")));
    const Seconds alone = cost.benchmark_time(kernel);
    kernel.cast.input = bf16_bytes + 1; // read in bf16, written in fp8
    const Seconds cast = cost.benchmark_time(kernel) - alone;
    ratios.push_back(seconds_at(*table, row, table->column("time_us")) / cast.value);
  }
  if (ratios.empty())
    return;
  const double known =
      ComputeConstants::read(calibration_ / "compute_constants.csv").cast_time_ratio.value;
  std::vector<double> errors;
  for (const double ratio : ratios)
    errors.push_back(100.0 * std::abs(ratio / median(ratios) - 1.0));
  add("cast_time_ratio", "ratio", known * median(ratios), percentile(errors, 0.9),
      "memory_bound.csv", ratios.size());
}

void Fit::add_router(const ComputeCost& cost) {
  const auto table = read_table(
      folder_ / "router.csv",
      {"tokens", "hidden", "experts", "top_k", "scoring", "limited_groups", "bias", "time_us"},
      {"operation"});
  if (!table)
    return;
  std::vector<double> ratios;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const std::int64_t tokens = whole_at(*table, row, table->column("tokens"));
    const std::int64_t hidden = whole_at(*table, row, table->column("hidden"));
    const std::int64_t experts = whole_at(*table, row, table->column("experts"));
    const bool backward = table->has_column("operation") &&
                          table->view(row, table->column("operation")) == "backward";
    constexpr std::int64_t score_bytes = 4 * 4; // fp32: written, read, written, read
    const auto router_gemm = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
      return cost.benchmark_time(gemm(KernelPart::router, Precision::bf16, m, n, k));
    };
    Seconds predicted = cost.benchmark_time(memory_bound(
        KernelPart::router, Bytes{(backward ? 2 : 1) * score_bytes * tokens * experts}));
    predicted += backward
                     ? router_gemm(tokens, hidden, experts) + router_gemm(hidden, experts, tokens)
                     : router_gemm(tokens, experts, hidden);
    ratios.push_back(seconds_at(*table, row, table->column("time_us")) / predicted.value);
  }
  add_ratio("router_time_ratio", "router.csv", ratios);
}

void Fit::add_permute(const ComputeCost& cost) {
  const auto table = read_table(folder_ / "permute.csv", {"operation", "precision", "tokens",
                                                          "hidden", "experts", "top_k", "time_us"});
  if (!table)
    return;
  std::vector<double> ratios;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const std::int64_t tokens = whole_at(*table, row, table->column("tokens"));
    const std::int64_t value_bytes =
        table->choice(row, table->column("precision"), {"bf16", "fp8"}) == "bf16" ? bf16_bytes : 1;
    const std::int64_t moved = tokens * (1 + whole_at(*table, row, table->column("top_k")));
    const Kernel kernel =
        memory_bound(KernelPart::permute,
                     Bytes{moved * whole_at(*table, row, table->column("hidden")) * value_bytes});
    ratios.push_back(seconds_at(*table, row, table->column("time_us")) /
                     cost.benchmark_time(kernel).value);
  }
  add_ratio("permute_time_ratio", "permute.csv", ratios);
}

void Fit::add_interference(const ComputeCost& cost) {
  const InterferenceFit fit = fit_interference(folder_, cost, peaks_);
  if (fit.sm_rows > 0)
    add("sm_loss_slowdown", "ratio", fit.sm_loss_slowdown, 0.0, "interference.csv", fit.sm_rows);
  if (fit.bandwidth_rows > 0)
    add("gemm_bandwidth_slowdown", "ratio", fit.gemm_bandwidth_slowdown, 0.0, "interference.csv",
        fit.bandwidth_rows);
}

void Fit::add_imbalance() {
  std::vector<double> slopes;
  for (const UnevenTime& uneven : experts_.uneven)
    slopes.push_back((uneven.ratio - 1.0) / (uneven.busiest - 1.0));
  if (!slopes.empty())
    add("grouped_gemm_imbalance_slope", "ratio", std::max(0.0, median(slopes)), 0.0,
        "expert_gemm.csv, uneven", slopes.size());
}

} // namespace

std::vector<MeasuredConstant> fit_device_constants(const fs::path& calibration,
                                                   const std::string& device) {
  if (!fs::exists(calibration / device / measured_folder))
    return {};
  const std::map<std::string, DeviceRow> rows = read_devices(calibration);
  const auto row = rows.find(device);
  if (row == rows.end())
    throw InputError({(calibration / "gpus.csv").string()},
                     fmt::format("no row for the measured GPU \"{}\"", device),
                     "add one with its datasheet rates, as those of the others");
  return Fit(calibration, device, row->second).run();
}

} // namespace moesim
