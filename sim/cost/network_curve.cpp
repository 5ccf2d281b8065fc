#include "sim/cost/network_curve.hpp"

#include "sim/base/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

double interpolate(const std::vector<NetworkCurve::Point>& points, double message) {
  const auto upper = std::upper_bound(points.begin(), points.end(), message,
                                      [](double value, const NetworkCurve::Point& at) {
                                        return value < static_cast<double>(at.message.value);
                                      });
  if (upper == points.begin())
    return points.front().share;
  if (upper == points.end())
    return points.back().share;
  const auto lower = std::prev(upper);
  const auto low = static_cast<double>(lower->message.value);
  const double weight =
      std::log(message / low) / std::log(static_cast<double>(upper->message.value) / low);
  return lower->share * std::pow(upper->share / lower->share, weight);
}

constexpr const char* network_head =
    "# Share of a link's datasheet capacity (one direction) that a transfer reaches, start-up "
    "excluded.\n"
    "# message_bytes: what one rank sends over its link. Written by moesim calibrate from\n"
    "# measurements/*.csv; ranges, residuals, tables: network_startup.csv; meaning: NETWORK.md.\n"
    "medium,collective,message_bytes,efficiency\n";

constexpr const char* startup_head =
    "# Costs of a collective on a medium beside its curve in network.csv.\n"
    "# start-up = base_us + per_peer_us x peers; share = curve x exp(-small_group_loss / "
    "members),\n"
    "# at most limit_gbyte_per_s if that is not 0; residual: median error of the fitted times.\n"
    "# Written by moesim calibrate from measurements/*.csv; meaning: NETWORK.md.\n"
    "medium,collective,base_us,per_peer_us,small_group_loss,limit_gbyte_per_s,"
    "smallest_message_bytes,largest_message_bytes,members_min,members_max,residual_percent,"
    "p90_error_percent,provenance,tables\n";

} // namespace

double NetworkCurve::reached(const TierUse& use) const {
  INVARIANT(use.bytes.value >= 0 && use.members >= 1 && use.capacity.value > 0.0,
            "bytes {} members {} capacity {}", use.bytes.value, use.members, use.capacity.value);
  const double message = static_cast<double>(std::max<std::int64_t>(1, use.bytes.value));
  return interpolate(points, message) *
         std::exp(-small_group_loss / static_cast<double>(use.members));
}

double NetworkCurve::share(const TierUse& use) const {
  return std::min(reached(use), limit.value > 0.0 ? limit / use.capacity : 1.0);
}

bool NetworkCurve::bound_by_kernel(const TierUse& use) const {
  return limit.value > 0.0 && limit / use.capacity < reached(use);
}

const std::vector<std::string>& interconnect_names() {
  static const std::vector<std::string> names = {
      "nvlink3", "nvlink4", "nvlink5", "nvlink6", "xgmi", "pcie", "infiniband", "roce", "efa"};
  return names;
}

std::string network_csv(const std::vector<NetworkCurve>& curves) {
  std::string text = network_head;
  for (const NetworkCurve& curve : curves)
    for (const NetworkCurve::Point& point : curve.points)
      text += fmt::format("{},{},{},{:.4f}\n", curve.interconnect,
                          collective_name(curve.collective), point.message.value, point.share);
  return text;
}

std::string network_startup_csv(const std::vector<NetworkCurve>& curves) {
  std::string text = startup_head;
  for (const NetworkCurve& curve : curves)
    text += fmt::format("{},{},{:.2f},{:.3f},{:.3f},{:.1f},{},{},{},{},{:.1f},{:.1f},{},{}\n",
                        curve.interconnect, collective_name(curve.collective),
                        curve.base.value * 1e6, curve.per_peer.value * 1e6, curve.small_group_loss,
                        curve.limit.value / 1e9, curve.smallest.value, curve.largest.value,
                        curve.members_min, curve.members_max, curve.residual_percent,
                        curve.p90_error_percent, curve.provenance, curve.tables);
  return text;
}

} // namespace moesim
