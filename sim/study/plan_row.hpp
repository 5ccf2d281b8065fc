#pragma once

#include "sim/study/plan_cost.hpp"
#include "sim/study/simulate.hpp"

#include <span>
#include <string>
#include <variant>
#include <vector>

namespace moesim {

/// The answer for one candidate and number of GPUs, beside the columns of its step.
struct PlanRow {
  std::string candidate;
  double gpus = 0.0;
  std::string status;
  std::string reason;
  TrainingCost training;
  TrainingCost effective; ///< with failures and checkpoints; none if it would get nowhere
  TrainingCost uneven;    ///< under the loads of routing.uneven_concentration; none if not asked
  std::string effective_meets_deadline;
  double goodput_percent = no_value;
  double checkpoint_interval_minutes = no_value;
  double expected_failures = no_value;
  double spare_hosts = no_value;
  double memory_headroom_gib = no_value;
  double deadline_days = no_value;
  std::string meets_deadline;
  std::string on_pareto_front;
  double equal_plans = no_value;
  std::string equal_plans_differ;
  double validated_distance = no_value;
  std::string nearest_validated;
  std::string verdict;
};

/// A column of a plan's results beside those of a step: its only declaration.
struct PlanColumn {
  const char* name;
  const char* description;
  std::variant<double PlanRow::*, std::string PlanRow::*, Spread TrainingCost::*> member;
  double Spread::*part = nullptr;                   ///< of a Spread
  TrainingCost PlanRow::*cost = &PlanRow::training; ///< that has the Spread
};

/// The columns after those of the step, in the order of results.csv.
std::span<const PlanColumn> plan_columns();
/// A cell: 9 significant digits, empty for a missing number.
std::string plan_cell(const PlanRow& row, const PlanColumn& column);

/// Counts the plans, the fastest first, whose time is within the interval of the first, and names
/// the settings in which they differ: "parallel.pipeline 4 or 8; training.micro_batch 1 or 2".
void fill_equal_plans(const std::vector<PlanRank>& plans, double high_ms, PlanRow& row);

/// Fills the columns that compare a row with the deadline and with the others: meets_deadline,
/// on_pareto_front and verdict. The rows of one candidate have the same name.
void judge_rows(std::vector<PlanRow>& rows);

} // namespace moesim
