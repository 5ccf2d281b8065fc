#include "sim/calibrate/streaming_fit.hpp"

#include "sim/base/median.hpp"
#include "sim/cost/table_rows.hpp"

#include <Eigen/Dense>

#include <cmath>

namespace moesim {

namespace {

constexpr double microsecond = 1e-6;

/// A timed kernel.
struct Streamed {
  double bytes = 0.0;
  double seconds = 0.0;
};

std::vector<Streamed> read_streamed(const std::filesystem::path& folder) {
  const auto table = read_table(folder / "memory_bound.csv",
                                {"operation", "tokens", "hidden", "bytes", "time_us"});
  std::vector<Streamed> rows;
  if (!table)
    return rows;
  for (std::size_t row = 0; row < table->rows(); ++row)
    if (table->view(row, table->column("operation")) != cast_operation)
      rows.push_back({table->positive_number(row, table->column("bytes")),
                      seconds_at(*table, row, table->column("time_us"))});
  return rows;
}

/// Fixed time and seconds a byte by least squares of the relative error; a fixed time below zero
/// counts as none.
Eigen::Vector2d solve(const std::vector<Streamed>& rows) {
  Eigen::MatrixXd terms(static_cast<Eigen::Index>(rows.size()), 2);
  for (std::size_t i = 0; i < rows.size(); ++i)
    terms.row(static_cast<Eigen::Index>(i)) << 1.0 / rows[i].seconds,
        rows[i].bytes / rows[i].seconds;
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(terms.rows());
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> both(terms);
  if (both.rank() == 2)
    if (const Eigen::Vector2d found = both.solve(ones); found[0] > 0.0 && found[1] > 0.0)
      return found;
  return {0.0, terms.col(1).sum() / terms.col(1).squaredNorm()};
}

} // namespace

std::optional<StreamingFit> fit_streaming(const std::filesystem::path& folder,
                                          BytesPerSecond peak) {
  const std::vector<Streamed> rows = read_streamed(folder);
  if (rows.empty())
    return std::nullopt;
  const Eigen::Vector2d found = solve(rows);
  std::vector<double> errors;
  for (const Streamed& row : rows)
    errors.push_back(100.0 * std::abs((found[0] + found[1] * row.bytes) / row.seconds - 1.0));
  return StreamingFit{1.0 / (found[1] * peak.value), found[0] / microsecond,
                      percentile(errors, 0.9), rows.size()};
}

std::optional<BandwidthShare> share_of(const std::vector<double>& shares) {
  if (shares.empty())
    return std::nullopt;
  BandwidthShare found{median(shares), 0.0, shares.size()};
  std::vector<double> errors;
  for (const double share : shares)
    errors.push_back(100.0 * std::abs(found.share / share - 1.0));
  found.error_percent = percentile(errors, 0.9);
  return found;
}

std::optional<BandwidthShare> copy_share(const std::filesystem::path& folder, BytesPerSecond peak) {
  constexpr double smallest = 64.0 * 1024 * 1024; // smaller ones may stay in the cache
  const auto table = read_table(folder / "copy.csv", {"kind", "bytes", "time_us"});
  std::vector<double> shares;
  for (std::size_t row = 0; table && row < table->rows(); ++row) {
    const double bytes = table->positive_number(row, table->column("bytes"));
    if (table->view(row, table->column("kind")) == "device_to_device" && bytes >= smallest)
      shares.push_back(2.0 * bytes / seconds_at(*table, row, table->column("time_us")) /
                       peak.value); // read and written
  }
  return share_of(shares);
}

} // namespace moesim
