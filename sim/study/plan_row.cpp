#include "sim/study/plan_row.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>

namespace moesim {

namespace {

using P = PlanRow;
using T = TrainingCost;

constexpr auto columns_of_plans = std::to_array<PlanColumn>({
    {"days", "tokens / tokens_per_s, at a constant step time", &T::days, &Spread::value},
    {"days_low", "lower end: the step's interval, wider by 10 % per unit of validated_distance",
     &T::days, &Spread::low},
    {"days_high", "upper end, likewise; so for all of these columns", &T::days, &Spread::high},
    {"gpu_hours", "24 x days x (GPUs + idle_gpus)", &T::gpu_hours, &Spread::value},
    {"gpu_hours_low", "lower end", &T::gpu_hours, &Spread::low},
    {"gpu_hours_high", "upper end", &T::gpu_hours, &Spread::high},
    {"cost", "gpu_hours x price; or capital x days / (365 x years) + energy x price of power",
     &T::cost, &Spread::value},
    {"cost_low", "lower end", &T::cost, &Spread::low},
    {"cost_high", "upper end", &T::cost, &Spread::high},
    {"energy_mwh", "24 x days x GPUs x board power x 1.5 (node) x 1.25 (network, cooling, losses)",
     &T::energy_mwh, &Spread::value},
    {"energy_mwh_low", "lower end", &T::energy_mwh, &Spread::low},
    {"energy_mwh_high", "upper end", &T::energy_mwh, &Spread::high},
    {"effective_days", "with failures, checkpoints and restarts (`moesim goodput`): [failures]",
     &T::days, &Spread::value, &P::effective},
    {"effective_days_low", "lower end, at the rates of failures as they are", &T::days,
     &Spread::low, &P::effective},
    {"effective_days_high", "upper end", &T::days, &Spread::high, &P::effective},
    {"effective_meets_deadline", "as meets_deadline, of effective_days",
     &P::effective_meets_deadline},
    {"effective_cost", "as cost, for effective_days; rented spare hosts are paid for", &T::cost,
     &Spread::value, &P::effective},
    {"effective_cost_low", "lower end", &T::cost, &Spread::low, &P::effective},
    {"effective_cost_high", "upper end", &T::cost, &Spread::high, &P::effective},
    {"goodput_percent", "days over effective_days", &P::goodput_percent},
    {"checkpoint_interval_minutes", "the best, or as given", &P::checkpoint_interval_minutes},
    {"expected_failures", "that stop the job", &P::expected_failures},
    {"spare_hosts", "as given, or the fewest that keep waiting for repairs below 0.1 %",
     &P::spare_hosts},
    {"uneven_days", "as days, for uneven_step_time_ms: the same plan under uneven loads", &T::days,
     &Spread::value, &P::uneven},
    {"uneven_days_low", "lower end", &T::days, &Spread::low, &P::uneven},
    {"uneven_days_high", "upper end", &T::days, &Spread::high, &P::uneven},
    {"uneven_cost", "as cost, for uneven_days", &T::cost, &Spread::value, &P::uneven},
    {"uneven_cost_low", "lower end", &T::cost, &Spread::low, &P::uneven},
    {"uneven_cost_high", "upper end", &T::cost, &Spread::high, &P::uneven},
    {"memory_headroom_gib", "memory of a GPU less memory_gib_per_gpu", &P::memory_headroom_gib},
    {"deadline_days", "as the plan file has it", &P::deadline_days},
    {"meets_deadline", "yes: days_high does; likely: days does; unlikely: days_low alone does; no",
     &P::meets_deadline},
    {"on_pareto_front", "yes: no other candidate is at least as fast and as cheap",
     &P::on_pareto_front},
    {"equal_plans",
     "plans, of the ten fastest, within the interval of the best, which counts as one",
     &P::equal_plans},
    {"equal_plans_differ", "the settings in which those differ", &P::equal_plans_differ},
    {"validated_distance",
     "0: a published step of this model size, GPU and plan was scored; 1: one of them is off by a "
     "factor of 2; ...",
     &P::validated_distance},
    {"nearest_validated", "the case of that published step", &P::nearest_validated},
    {"verdict", "what the row comes to", &P::verdict},
});

std::string number_cell(double value) {
  return std::isnan(value) ? "" : fmt::format("{:.9g}", value);
}

/// The assignments of plan_settings by key.
std::map<std::string, std::string> assignments(const std::string& plan) {
  std::map<std::string, std::string> found;
  std::istringstream words(plan);
  for (std::string word; words >> word;)
    if (const std::size_t equals = word.find('='); equals != std::string::npos)
      found[word.substr(0, equals)] = word.substr(equals + 1);
  return found;
}

bool ran(const PlanRow& row) {
  return row.status == "ok";
}

bool meets(const PlanRow& row) {
  return ran(row) && row.training.days.value <= row.deadline_days;
}

/// At least as fast and as cheap, and one of both strictly.
bool dominates(const PlanRow& a, const PlanRow& b) {
  const double faster = b.training.days.value - a.training.days.value;
  const double cheaper = b.training.cost.value - a.training.cost.value;
  return ran(a) && faster >= 0.0 && cheaper >= 0.0 && faster + cheaper > 0.0;
}

std::string deadline_word(const Spread& days, double deadline_days) {
  if (days.high <= deadline_days)
    return "yes";
  if (days.value <= deadline_days)
    return "likely";
  return days.low <= deadline_days ? "unlikely" : "no";
}

/// The row of least cost among those that dominate another.
const PlanRow* better_than(const PlanRow& row, const std::vector<PlanRow>& rows) {
  const PlanRow* best = nullptr;
  for (const PlanRow& other : rows)
    if (dominates(other, row) && (!best || other.training.cost.value < best->training.cost.value))
      best = &other;
  return best;
}

bool is_fewest(const PlanRow& row, const std::vector<PlanRow>& rows) {
  return meets(row) && std::none_of(rows.begin(), rows.end(), [&](const PlanRow& other) {
           return other.candidate == row.candidate && other.gpus < row.gpus && meets(other);
         });
}

std::string verdict_of(const PlanRow& row, const std::vector<PlanRow>& rows) {
  if (!ran(row))
    return fmt::format("stopped: {}", row.reason);
  std::vector<std::string> parts;
  if (!std::isnan(row.deadline_days)) {
    const double late = row.training.days.value - row.deadline_days;
    if (late > 0.0)
      parts.push_back(fmt::format("{:.1f} days after the deadline: a step must be {:.2f} x as fast",
                                  late, row.training.days.value / row.deadline_days));
    else
      parts.emplace_back(is_fewest(row, rows)
                             ? "meets the deadline, with the fewest GPUs of this candidate"
                             : "meets the deadline");
  }
  if (const PlanRow* better = better_than(row, rows))
    parts.push_back(fmt::format("{} on {} GPUs is at least as fast and as cheap", better->candidate,
                                better->gpus));
  else
    parts.emplace_back("no other is both as fast and as cheap");
  return fmt::format("{}", fmt::join(parts, "; "));
}

} // namespace

std::span<const PlanColumn> plan_columns() {
  return columns_of_plans;
}

std::string plan_cell(const PlanRow& row, const PlanColumn& column) {
  if (const auto* text = std::get_if<std::string PlanRow::*>(&column.member))
    return row.*(*text);
  if (const auto* spread = std::get_if<Spread TrainingCost::*>(&column.member))
    return number_cell(row.*column.cost.*(*spread).*column.part);
  return number_cell(row.*std::get<double PlanRow::*>(column.member));
}

void fill_equal_plans(const std::vector<PlanRank>& plans, double high_ms, PlanRow& row) {
  std::vector<std::map<std::string, std::string>> equal;
  for (const PlanRank& plan : plans)
    if (equal.empty() || plan.step_time_ms <= high_ms)
      equal.push_back(assignments(plan.plan));
  std::map<std::string, std::vector<std::string>> values; // by key
  for (const auto& plan : equal)
    for (const auto& [key, value] : plan)
      values[key];
  std::vector<std::string> differing;
  for (auto& [key, own] : values) {
    for (const auto& plan : equal) {
      const auto found = plan.find(key);
      const std::string value = found == plan.end() ? "left out" : found->second;
      if (std::find(own.begin(), own.end(), value) == own.end())
        own.push_back(value);
    }
    if (own.size() > 1)
      differing.push_back(fmt::format("{} {}", key, fmt::join(own, " or ")));
  }
  row.equal_plans = static_cast<double>(equal.size());
  row.equal_plans_differ = fmt::format("{}", fmt::join(differing, "; "));
}

void judge_rows(std::vector<PlanRow>& rows) {
  for (PlanRow& row : rows) {
    if (!std::isnan(row.deadline_days)) {
      const bool able = ran(row);
      row.meets_deadline = able ? deadline_word(row.training.days, row.deadline_days) : "no";
      row.effective_meets_deadline =
          able ? deadline_word(row.effective.days, row.deadline_days) : "no";
    }
    if (ran(row))
      row.on_pareto_front = better_than(row, rows) ? "no" : "yes";
  }
  for (PlanRow& row : rows)
    row.verdict = verdict_of(row, rows);
}

} // namespace moesim
