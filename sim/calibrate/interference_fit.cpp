#include "sim/calibrate/interference_fit.hpp"

#include "sim/calibrate/streaming_fit.hpp"
#include "sim/cost/table_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace moesim {

namespace {

constexpr double not_alone = 0.25; ///< relative distance from the tables

/// A row of interference.csv.
struct HeldRow {
  std::array<std::int64_t, 3> sizes{}; ///< m, n, k
  double sms = 0.0;
  double copied = 0.0; ///< share of the memory bandwidth; 0 where the SMs are only held
  bool streams = false;
  double seconds = 0.0;
};

std::vector<HeldRow> read_held_rows(const CsvTable& table, double copy_share) {
  std::vector<HeldRow> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto size = [&](const char* column) {
      return whole_at(table, row, table.column(column));
    };
    const auto number = [&](const char* column) {
      return table.not_negative_number(row, table.column(column));
    };
    const std::string operation =
        table.choice(row, table.column("operation"), {"hold_sms", "hold_bandwidth"});
    rows.push_back({{size("m"), size("n"), size("k")},
                    number("held_sms"),
                    number("held_bandwidth_percent") / 100.0 * copy_share,
                    operation == "hold_bandwidth",
                    seconds_at(table, row, table.column("time_us"))});
  }
  return rows;
}

/// Least squares of a line through the origin.
class Slope {
public:
  void add(double load, double slowdown) {
    products_ += load * slowdown;
    squares_ += load * load;
    ++rows_;
  }
  double value() const { return rows_ > 0 ? std::max(0.0, products_ / squares_) : 0.0; }
  std::size_t rows() const { return rows_; }

private:
  double products_ = 0.0;
  double squares_ = 0.0;
  std::size_t rows_ = 0;
};

/// Times of the GEMMs alone, in seconds.
std::map<std::array<std::int64_t, 3>, double> alone_times(const std::vector<HeldRow>& rows,
                                                          const ComputeCost& cost) {
  std::map<std::array<std::int64_t, 3>, double> times;
  for (const HeldRow& row : rows) {
    const auto [m, n, k] = row.sizes;
    const double known =
        cost.benchmark_time(gemm(KernelPart::dense, Precision::bf16, m, n, k)).value;
    times.try_emplace(row.sizes, known);
    if (row.sms == 0.0 && std::abs(row.seconds / known - 1.0) <= not_alone)
      times[row.sizes] = row.seconds;
  }
  return times;
}

} // namespace

InterferenceFit fit_interference(const std::filesystem::path& folder, const ComputeCost& cost,
                                 const DevicePeaks& peaks) {
  const auto table =
      read_table(folder / "interference.csv",
                 {"operation", "held_sms", "held_bandwidth_percent", "m", "n", "k", "time_us"});
  if (!table || peaks.sms == 0)
    return {};
  const std::optional<BandwidthShare> copies = copy_share(folder, peaks.memory_bandwidth);
  const std::vector<HeldRow> rows = read_held_rows(*table, copies ? copies->share : 1.0);
  const auto alone = alone_times(rows, cost);
  const auto all = static_cast<double>(peaks.sms);
  const auto lost = [&](const HeldRow& row) { return all / (all - row.sms) - 1.0; };
  Slope of_sms;
  for (const HeldRow& row : rows)
    if (!row.streams && row.sms > 0.0 && row.sms < all)
      of_sms.add(lost(row), row.seconds / alone.at(row.sizes) - 1.0);
  Slope of_bandwidth;
  for (const HeldRow& row : rows)
    if (row.streams && row.copied > 0.0 && row.sms < all) {
      const double by_sms = 1.0 + (of_sms.rows() > 0 ? of_sms.value() : 1.0) * lost(row);
      of_bandwidth.add(row.copied, row.seconds / alone.at(row.sizes) / by_sms - 1.0);
    }
  return {of_sms.value(), of_sms.rows(), of_bandwidth.value(), of_bandwidth.rows()};
}

} // namespace moesim
