#pragma once

#include "sim/study/cost_library.hpp"
#include "sim/study/sweep.hpp"
#include "sim/study/sweep_journal.hpp"
#include "sim/study/time_left.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace moesim {

struct ChildAnswer;
struct ChildTask;

/// One run of a sweep. Points and dense twins are tasks, each in a process of its own and in the
/// journal as it ends. A twin that several points share is searched once.
class SweepRun {
public:
  /// Takes from the journal what earlier runs have finished. All arguments must outlive the run.
  SweepRun(const SweepPlan& plan, const SweepOptions& options, SweepJournal& journal);

  /// Runs the tasks that are left. `observe` is called before the first and after each.
  void run(const SweepObserver& observe);
  /// Tasks that the journal lacks, by name. A task that needs another's answer first may be
  /// missing.
  std::vector<std::string> unfinished() const;
  /// After run: the answer of each point of this run's part, by its number in the plan.
  std::map<std::size_t, PointAnswer> answers() const;

private:
  struct Twin {
    PlanProblem problem;
    std::string name; ///< in the journal
    double weight = 0.0;
    std::size_t wanted = 0; ///< points that compare with it, if they run
    bool queued = false;
    std::optional<TwinAnswer> answer = std::nullopt;
    std::vector<std::size_t> waiting = {}; ///< points that have run
  };
  struct Point {
    std::size_t number = 0; ///< in the plan
    std::string name;       ///< in the journal
    double weight = 0.0;
    std::vector<std::size_t> twins = {}; ///< dense, active dense; none if it is not compared
    std::optional<StepResult> result = std::nullopt;
    std::vector<PlanRank> best_plans = {};
    bool finished = false; ///< compared with its twins too
  };

  void add_point(std::size_t number);
  std::size_t twin_of(PlanProblem problem);
  /// A point has run, with this result_text: queues its twins, or forgets them if there is no step
  /// to compare.
  void take_result(std::size_t place, const std::string& text);
  void take_answer(std::size_t place, const TwinAnswer& answer);
  /// Compares a point with its twins once both are known.
  void finish_if_known(Point& point);
  void resume();
  /// Calls `take` with the journal's answer of a task. Throws InputError if it cannot be read.
  void take_known(const std::string& task, const std::function<void(const std::string&)>& take);
  std::optional<ChildTask> next_task();
  void end_task(std::size_t number, const ChildAnswer& answer);
  /// The task's process was killed for the first time: puts it back into its queue.
  bool queue_again(std::size_t number);
  /// Throws InputError at a line of the journal that no task of this sweep has written.
  void check_tasks() const;

  const SweepPlan& plan_;
  const SweepOptions& options_;
  SweepJournal& journal_;
  CostLibrary costs_;
  std::vector<Point> points_; ///< legal ones
  std::vector<Twin> twins_;
  std::map<std::string, std::size_t> twin_by_key_;
  std::deque<std::size_t> points_left_;
  std::deque<std::size_t> twins_left_;
  std::map<std::size_t, std::chrono::steady_clock::time_point> started_; ///< by task
  std::set<std::size_t> killed_once_;                                    ///< tasks
  TimeLeft time_left_;
  SweepProgress progress_;
};

} // namespace moesim
