#include "sim/calibrate/network_fit.hpp"

#include "sim/base/input_error.hpp"
#include "sim/base/median.hpp"
#include "sim/calibrate/residuals.hpp"
#include "sim/cost/collective_table.hpp"

#include <Eigen/QR>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace moesim {

namespace {

constexpr double startup_size = 16384.0;
constexpr double least_remaining = 0.15;
constexpr double knot_step = 2.0; ///< distance of knots, log2 of the message
constexpr double bend_penalty = 1e-3;
constexpr double slope_penalty = 1e-6;
constexpr double limit_message = 16.0 * 1024 * 1024;

using Rows = std::vector<const Measurement*>;

/// The start-up of one table.
struct StartPoint {
  double peers = 0.0;
  double time = 0.0;
};

/// Fits base and slope, neither negative, by least squares of the relative error of base + slope ×
/// peers.
std::pair<double, double> fit_line(const std::vector<StartPoint>& points) {
  Eigen::MatrixXd terms(static_cast<Eigen::Index>(points.size()), 2);
  for (std::size_t i = 0; i < points.size(); ++i)
    terms.row(static_cast<Eigen::Index>(i)) << 1.0 / points[i].time,
        points[i].peers / points[i].time;
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(terms.rows());
  const Eigen::VectorXd both = terms.completeOrthogonalDecomposition().solve(ones);
  if (both[0] >= 0.0 && both[1] >= 0.0)
    return {both[0], both[1]};
  // One of them is zero at the constrained minimum: the better of the two single fits.
  const auto single = [&](Eigen::Index column) {
    return terms.col(column).dot(ones) / terms.col(column).squaredNorm();
  };
  const double base = single(0);
  const double slope = single(1);
  const double base_error = (terms.col(0) * base - ones).squaredNorm();
  const double slope_error = (terms.col(1) * slope - ones).squaredNorm();
  return base_error <= slope_error ? std::pair(base, 0.0) : std::pair(0.0, slope);
}

bool same_peers(const std::vector<StartPoint>& points) {
  return std::all_of(points.begin(), points.end(),
                     [&](const StartPoint& point) { return point.peers == points.front().peers; });
}

/// Fits the base of points whose slope is known.
std::pair<double, double> fit_base(const std::vector<StartPoint>& points, double slope) {
  std::vector<double> bases;
  for (const StartPoint& point : points)
    bases.push_back(point.time - slope * point.peers);
  const double base = median(bases);
  if (base >= 0.0)
    return {base, slope};
  return fit_line(points).second > 0.0 ? fit_line(points) : std::pair(0.0, slope);
}

/// Start-up times during the fit: inside first, then outside.
class StartupFit {
public:
  explicit StartupFit(const std::vector<NetworkCurve>& known) {
    for (const NetworkCurve& curve : known)
      startups_[{curve.interconnect, curve.collective}] = {curve.base.value, curve.per_peer.value};
  }

  void fit(const std::map<CurveName, Rows>& curves, Tier tier) {
    std::map<CurveName, std::vector<StartPoint>> points;
    std::map<CurveName, std::vector<StartPoint>> pooled;
    for (const auto& [key, rows] : curves) {
      if (rows.front()->tier != tier)
        continue;
      points[key] = table_points(rows);
      auto& pool = pooled[pool_of(key, tier)];
      pool.insert(pool.end(), points[key].begin(), points[key].end());
    }
    for (const auto& [key, own] : points) {
      const std::vector<StartPoint>& pool = pooled[pool_of(key, tier)];
      if (own.empty())
        startups_.try_emplace(key, 0.0, 0.0);
      else if (!same_peers(own))
        startups_[key] = fit_line(own);
      else
        startups_[key] = fit_base(own, same_peers(pool) ? 0.0 : fit_line(pool).second);
    }
  }

  std::pair<double, double> of(const CurveName& key) const {
    const auto found = startups_.find(key);
    return found == startups_.end() ? std::pair(0.0, 0.0) : found->second;
  }

  /// Start-up time of one row, both tiers together.
  double total(const Measurement& row) const {
    double time = inside(row);
    if (row.group.domains > 1) {
      const auto [base, slope] = of({row.links.scale_out, row.collective});
      time += base + slope * static_cast<double>(outside_peers(row.collective, row.group));
    }
    return time;
  }

private:
  /// The pool of curves that share a slope, whose start-ups count the same peers. Outside there are
  /// two pools: collectives that pass from domain to domain, and those that reach each rank.
  static CurveName pool_of(const CurveName& key, Tier tier) {
    const bool by_rank = outside_peers(key.second, {4, 2}) == 2;
    return {key.first,
            tier == Tier::scale_out && by_rank ? Collective::all_to_all : Collective::all_reduce};
  }

  double inside(const Measurement& row) const {
    if (row.group.domain_ranks() == 1)
      return 0.0;
    const auto [base, slope] = of({row.links.scale_up, inside_part(row.collective, row.group)});
    return base + slope * static_cast<double>(row.group.domain_ranks() - 1);
  }

  std::vector<StartPoint> table_points(const Rows& rows) const {
    std::map<std::string, std::vector<double>> times;
    std::map<std::string, double> peers;
    for (const Measurement* row : rows)
      if (row->size <= startup_size) {
        const double before = row->tier == Tier::scale_out ? inside(*row) : 0.0;
        times[row->table].push_back(std::max(row->time.value - before, 1e-7));
        peers[row->table] = static_cast<double>(row->peers());
      }
    std::vector<StartPoint> points;
    for (auto& [table, own] : times)
      points.push_back({peers[table], median(own)});
    return points;
  }

  std::map<CurveName, std::pair<double, double>> startups_;
};

/// A point of the fit of the share.
struct SharePoint {
  double position = 0.0; ///< log4 of the message
  double share = 0.0;    ///< logarithm of the share
  double weight = 1.0;
  double members = 1.0;
};

struct ShareFit {
  int first_knot = 0;
  Eigen::VectorXd shares; ///< logarithms, at the knots
  double loss = 0.0;
};

ShareFit fit_share(const std::vector<SharePoint>& points, bool with_loss) {
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(),
      [](const SharePoint& a, const SharePoint& b) { return a.position < b.position; });
  ShareFit fit;
  fit.first_knot = static_cast<int>(std::floor(low->position));
  const int last_knot = std::max(static_cast<int>(std::ceil(high->position)), fit.first_knot + 1);
  const Eigen::Index knots = last_knot - fit.first_knot + 1;
  const auto count = static_cast<Eigen::Index>(points.size());
  Eigen::MatrixXd terms = Eigen::MatrixXd::Zero(count + 2 * knots - 3, knots + (with_loss ? 1 : 0));
  Eigen::VectorXd values = Eigen::VectorXd::Zero(terms.rows());
  for (Eigen::Index i = 0; i < count; ++i) {
    const SharePoint& point = points[static_cast<std::size_t>(i)];
    const double position = point.position - fit.first_knot;
    const Eigen::Index left = std::min(static_cast<Eigen::Index>(position), knots - 2);
    const double right_part = position - static_cast<double>(left);
    terms(i, left) = point.weight * (1.0 - right_part);
    terms(i, left + 1) = point.weight * right_part;
    if (with_loss)
      terms(i, knots) = -point.weight / point.members;
    values[i] = point.weight * point.share;
  }
  for (Eigen::Index bend = 0; bend < knots - 2; ++bend) {
    const double penalty = std::sqrt(bend_penalty);
    terms(count + bend, bend) = penalty;
    terms(count + bend, bend + 1) = -2.0 * penalty;
    terms(count + bend, bend + 2) = penalty;
  }
  for (Eigen::Index step = 0; step < knots - 1; ++step) {
    const Eigen::Index row = count + knots - 2 + step;
    terms(row, step) = -std::sqrt(slope_penalty);
    terms(row, step + 1) = std::sqrt(slope_penalty);
  }
  const Eigen::VectorXd solution = terms.completeOrthogonalDecomposition().solve(values);
  fit.shares = solution.head(knots);
  fit.loss = with_loss ? solution[knots] : 0.0;
  return fit;
}

/// Knots as points of a curve, rounded as they are written, cut at 1, time never falling.
std::vector<NetworkCurve::Point> curve_points(const ShareFit& fit) {
  std::vector<NetworkCurve::Point> points;
  for (Eigen::Index i = 0; i < fit.shares.size(); ++i) {
    const auto knot = static_cast<double>(fit.first_knot + static_cast<int>(i));
    const Bytes message{std::max<std::int64_t>(1, std::llround(std::pow(4.0, knot)))};
    double share = std::min(std::exp(fit.shares[i]), 1.0);
    if (!points.empty())
      share = std::min(share, points.back().share * static_cast<double>(message.value) /
                                  static_cast<double>(points.back().message.value));
    points.push_back({message, std::max(std::floor(share * 1e4 + 0.5), 1.0) / 1e4});
  }
  return points;
}

/// The median rate of large messages over rows on links faster than the slowest, if it is below the
/// curve's rate; else 0.
double fit_limit(const Rows& rows, const NetworkCurve& curve, double slowest,
                 const StartupFit& startups) {
  std::vector<double> rates;
  std::vector<double> expected;
  for (const Measurement* row : rows) {
    const TierUse use = row->use();
    if (use.capacity.value <= slowest || static_cast<double>(use.bytes.value) < limit_message)
      continue;
    rates.push_back(static_cast<double>(use.bytes.value) /
                    (row->time.value - startups.total(*row)));
    expected.push_back(curve.share(use) * use.capacity.value);
  }
  return !rates.empty() && median(rates) < median(expected) ? median(rates) : 0.0;
}

double rounded(double value, double unit) {
  return std::round(value / unit) * unit;
}

NetworkCurve fit_curve(const CurveName& key, const Rows& rows, const StartupFit& startups) {
  NetworkCurve curve;
  std::tie(curve.interconnect, curve.collective) = key;
  double slowest = rows.front()->use().capacity.value;
  for (const Measurement* row : rows)
    slowest = std::min(slowest, row->use().capacity.value);
  std::vector<SharePoint> points;
  std::set<std::int64_t> members;
  for (const Measurement* row : rows) {
    const TierUse use = row->use();
    const double remaining = row->time.value - startups.total(*row);
    if (remaining < least_remaining * row->time.value ||
        (is_token_exchange(key.second) && use.capacity.value > slowest))
      continue;
    const auto bytes = static_cast<double>(use.bytes.value);
    points.push_back({std::log2(bytes) / knot_step,
                      std::log(bytes / (use.capacity.value * remaining)),
                      remaining / row->time.value, static_cast<double>(use.members)});
    members.insert(use.members);
  }
  if (points.empty())
    throw InputError({rows.front()->table},
                     fmt::format("{} on {}: no row is longer than the start-up",
                                 collective_name(key.second), key.first));
  const ShareFit fit = fit_share(points, members.size() > 1);
  curve.points = curve_points(fit);
  curve.small_group_loss = rounded(fit.loss, 1e-3);
  curve.base = microseconds(rounded(startups.of(key).first * 1e6, 1e-2));
  curve.per_peer = microseconds(rounded(startups.of(key).second * 1e6, 1e-3));
  if (is_token_exchange(key.second))
    curve.limit = gbyte_per_s(rounded(fit_limit(rows, curve, slowest, startups) / 1e9, 0.1));
  return curve;
}

/// The ranges, names and residual of a curve, from the rows that it was fitted to.
void describe(NetworkCurve& curve, const Rows& rows, const StartupFit& startups) {
  std::vector<std::string> tables;
  std::vector<double> errors;
  curve.smallest = curve.largest = rows.front()->use().bytes;
  curve.members_min = curve.members_max = rows.front()->use().members;
  for (const Measurement* row : rows) {
    const TierUse use = row->use();
    curve.smallest = std::min(curve.smallest, use.bytes);
    curve.largest = std::max(curve.largest, use.bytes);
    curve.members_min = std::min(curve.members_min, use.members);
    curve.members_max = std::max(curve.members_max, use.members);
    const double time = startups.total(*row) + static_cast<double>(use.bytes.value) /
                                                   (use.capacity.value * curve.share(use));
    errors.push_back(std::abs(time / row->time.value - 1.0));
    if (std::find(tables.begin(), tables.end(), row->table) == tables.end())
      tables.push_back(row->table);
  }
  std::sort(tables.begin(), tables.end());
  for (const std::string& table : tables)
    curve.tables += (curve.tables.empty() ? "" : " ") + table;
  curve.residual_percent = 100.0 * median(errors);
  curve.provenance = "fitted";
}

} // namespace

std::vector<NetworkCurve> fit_network(const std::vector<Measurement>& measurements,
                                      const std::vector<NetworkCurve>& known) {
  std::map<CurveName, Rows> rows;
  for (const Measurement& row : measurements)
    if (row.fit)
      rows[{row.interconnect(), row.curve_collective()}].push_back(&row);
  if (rows.empty())
    throw InputError({"measurements"}, "no row says fit = yes: nothing to fit");
  StartupFit startups(known);
  startups.fit(rows, Tier::scale_up);
  startups.fit(rows, Tier::scale_out);
  std::map<CurveName, NetworkCurve> curves;
  for (const NetworkCurve& curve : known)
    curves[{curve.interconnect, curve.collective}] = curve;
  for (const auto& [key, own] : rows) {
    curves[key] = fit_curve(key, own, startups);
    describe(curves[key], own, startups);
  }
  std::vector<NetworkCurve> ordered = in_table_order(curves);
  set_errors(ordered, measurements);
  return ordered;
}

std::vector<NetworkCurve> in_table_order(const std::map<CurveName, NetworkCurve>& curves) {
  std::vector<NetworkCurve> ordered;
  for (const std::string& interconnect : interconnect_names())
    for (const CollectiveRow& row : collective_rows())
      if (const auto found = curves.find({interconnect, row.collective}); found != curves.end())
        ordered.push_back(found->second);
  return ordered;
}

} // namespace moesim
