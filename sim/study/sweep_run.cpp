#include "sim/study/sweep_run.hpp"

#include "sim/input/file_text.hpp"
#include "sim/routing/trained_loads.hpp"
#include "sim/search/child_process.hpp"
#include "sim/study/result_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

/// In proportion to the plans of a search, and to the layers of each.
double weight_of(const PlanProblem& problem) {
  const auto layers = static_cast<double>(problem.base.model.layers.size());
  const auto gpus = static_cast<double>(problem.base.plan.gpus);
  const auto node = static_cast<double>(problem.topology.node.gpus);
  const double tensor_degrees = 1.0 + std::log2(std::min(gpus, node));
  const double pipeline_degrees = 1.0 + std::log2(std::min(gpus, layers));
  return layers * tensor_degrees * pipeline_degrees;
}

/// In proportion to the operations of a replay.
double weight_of(const Scenario& scenario) {
  const Workload& workload = scenario.workload;
  if (scenario.search)
    return weight_of({workload, *scenario.search, scenario.topology, scenario.fidelity});
  const auto layers = static_cast<double>(workload.model.layers.size());
  const auto micro_batches = static_cast<double>(workload.plan.micro_batches(workload.training));
  const bool folded = scenario.fidelity == Fidelity::folded;
  return layers * micro_batches * (folded ? 1.0 : static_cast<double>(workload.plan.stage_ranks()));
}

std::string text_of(const std::vector<std::filesystem::path>& files) {
  std::string text;
  for (const std::filesystem::path& file : files)
    text += read_file(file);
  return text;
}

/// In the journal: the number, or what identifies the inputs of a legal point in any plan.
std::string name_of_point(const SweepPlan& plan, std::size_t number) {
  if (!plan.answer_inputs)
    return fmt::format("point-{}", number);
  std::vector<std::filesystem::path> files = input_files(*plan.points[number].scenario);
  files.erase(files.begin()); // it has the prices
  return "point-" + fingerprint_of(plan.answer_inputs->points[number] + text_of(files));
}

/// In the journal: what identifies the problem and the graph files that it names.
std::string name_of_twin(const PlanProblem& problem, const std::string& key) {
  return "twin-" + fingerprint_of(key + text_of(graph_files(problem.topology)));
}

StepResult without_result(const std::string& status, const std::string& reason) {
  StepResult result;
  result.status = status;
  result.reason = reason;
  return result;
}

} // namespace

SweepRun::SweepRun(const SweepPlan& plan, const SweepOptions& options, SweepJournal& journal)
    : plan_(plan), options_(options), journal_(journal), costs_(options.calibration) {
  for (std::size_t number = options.shard - 1; number < plan.points.size();
       number += options.shards) {
    ++progress_.points;
    if (plan.points[number].scenario)
      add_point(number);
    else
      ++progress_.illegal;
  }
  check_tasks();
  resume();
}

void SweepRun::check_tasks() const {
  if (plan_.answer_inputs)
    return; // answers for other inputs stay, for when those come back
  std::set<std::string> known;
  for (const Point& point : points_)
    known.insert(point.name);
  for (const Twin& twin : twins_)
    known.insert(twin.name);
  for (const auto& [task, answer] : journal_.answers())
    if (!known.contains(task))
      journal_.refuse(task, fmt::format("{} is no task of this sweep", task));
}

std::vector<std::string> SweepRun::unfinished() const {
  std::vector<std::string> names;
  for (const std::size_t place : points_left_)
    names.push_back(points_[place].name);
  for (const std::size_t place : twins_left_)
    names.push_back(twins_[place].name);
  return names;
}

void SweepRun::add_point(std::size_t number) {
  const Scenario& scenario = *plan_.points[number].scenario;
  Point point{number, name_of_point(plan_, number), weight_of(scenario)};
  if (options_.twins && has_twins(scenario.workload.model))
    point.twins = {twin_of(dense_twin_problem(scenario)),
                   twin_of(active_dense_twin_problem(scenario))};
  time_left_.add(SweepTask::point, point.weight);
  points_.push_back(std::move(point));
}

std::size_t SweepRun::twin_of(PlanProblem problem) {
  const std::string key = key_of(problem);
  const auto [known, added] = twin_by_key_.emplace(key, twins_.size());
  if (added) {
    const double weight = weight_of(problem);
    std::string name = name_of_twin(problem, key);
    twins_.push_back({std::move(problem), std::move(name), weight});
    time_left_.add(SweepTask::twin, weight);
  }
  ++twins_[known->second].wanted;
  return known->second;
}

void SweepRun::take_known(const std::string& task,
                          const std::function<void(const std::string&)>& take) {
  try {
    take(*journal_.find(task));
  } catch (const std::exception&) { // somebody has changed the file
    journal_.refuse(task, fmt::format("the answer of {} is damaged", task));
  }
}

void SweepRun::resume() {
  for (std::size_t place = 0; place < twins_.size(); ++place)
    if (journal_.find(twins_[place].name)) {
      time_left_.drop(SweepTask::twin, twins_[place].weight);
      take_known(twins_[place].name,
                 [&](const std::string& text) { take_answer(place, twin_from_text(text)); });
    }
  for (std::size_t place = 0; place < points_.size(); ++place)
    if (const std::string& name = points_[place].name; journal_.find(name)) {
      time_left_.drop(SweepTask::point, points_[place].weight);
      take_known(name, [&](const std::string& text) { take_result(place, text); });
    } else {
      points_left_.push_back(place);
    }
  progress_.damaged = journal_.damaged_lines().size();
  progress_.before = progress_.finished;
  progress_.finished = 0;
}

void SweepRun::take_result(std::size_t place, const std::string& text) {
  Point& point = points_[place];
  point.result = result_from_text(text);
  point.best_plans = best_plans_from_text(text);
  const bool ran = point.result->status == "ok";
  for (const std::size_t number : point.twins) {
    Twin& twin = twins_[number];
    if (ran)
      twin.waiting.push_back(place);
    else
      --twin.wanted;
    if (twin.answer || twin.queued)
      continue;
    if (ran) {
      twin.queued = true;
      twins_left_.push_back(number);
    } else if (twin.wanted == 0) {
      time_left_.drop(SweepTask::twin, twin.weight);
    }
  }
  if (!ran)
    point.twins.clear();
  finish_if_known(point);
}

void SweepRun::take_answer(std::size_t place, const TwinAnswer& answer) {
  twins_[place].answer = answer;
  for (const std::size_t point : twins_[place].waiting)
    finish_if_known(points_[point]);
}

void SweepRun::finish_if_known(Point& point) {
  const auto known = [this](std::size_t twin) { return twins_[twin].answer.has_value(); };
  if (point.finished || !std::all_of(point.twins.begin(), point.twins.end(), known))
    return;
  point.finished = true;
  ++progress_.finished;
  if (point.twins.empty())
    return;
  const TwinAnswer& dense = *twins_[point.twins.front()].answer;
  const TwinAnswer& active_dense = *twins_[point.twins.back()].answer;
  for (const TwinAnswer* twin : {&dense, &active_dense})
    if (!twin->failure.empty()) {
      point.result = without_result("failed", twin->failure);
      return;
    }
  compare_with_twins(*plan_.points[point.number].scenario, dense, active_dense, *point.result);
}

std::optional<ChildTask> SweepRun::next_task() {
  ChildTask task;
  if (!twins_left_.empty()) {
    const std::size_t place = twins_left_.front();
    twins_left_.pop_front();
    const PlanProblem& problem = twins_[place].problem;
    const Costs& costs = costs_.of(problem.topology, problem.base.training);
    task = {points_.size() + place,
            [&problem, &costs] { return twin_text(search_twin(problem, costs)); }};
  } else if (!points_left_.empty()) {
    const std::size_t place = points_left_.front();
    points_left_.pop_front();
    const Scenario& scenario = *plan_.points[points_[place].number].scenario;
    const Costs& costs = costs_.of(scenario.topology, scenario.workload.training);
    const Twins twins = options_.twins ? Twins::later : Twins::skip;
    if (scenario.workload.routing.load == LoadKind::trained)
      trained_loads_of(scenario.workload); // here, so that points of the same router share it
    task = {place, [&scenario, &costs, twins, plans = options_.plans] {
              const Prediction found = simulate(scenario, costs, {}, twins, plans);
              return plans > 1 ? result_text(found.result, found.best_plans)
                               : result_text(found.result);
            }};
  } else {
    return std::nullopt;
  }
  started_[task.number] = std::chrono::steady_clock::now();
  return task;
}

void SweepRun::end_task(std::size_t number, const ChildAnswer& answer) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_.at(number);
  started_.erase(number);
  if (answer.killed && queue_again(number))
    return;
  const std::string reason = answer.killed ? answer.text + ", twice: is there enough memory for "
                                                           "--jobs? The next run tries it again"
                                           : answer.text;
  if (number < points_.size()) {
    const std::string text =
        answer.ok ? answer.text : result_text(without_result("failed", reason));
    if (!answer.killed)
      journal_.add(points_[number].name, text);
    time_left_.end(SweepTask::point, points_[number].weight, took.count());
    take_result(number, text);
    return;
  }
  const std::size_t place = number - points_.size();
  const TwinAnswer twin =
      answer.ok ? twin_from_text(answer.text) : TwinAnswer{no_value, {}, "", reason};
  if (!answer.killed)
    journal_.add(twins_[place].name, twin_text(twin));
  time_left_.end(SweepTask::twin, twins_[place].weight, took.count());
  take_answer(place, twin);
}

bool SweepRun::queue_again(std::size_t number) {
  if (!killed_once_.insert(number).second)
    return false;
  if (number < points_.size())
    points_left_.push_back(number);
  else
    twins_left_.push_back(number - points_.size());
  return true;
}

void SweepRun::run(const SweepObserver& observe) {
  observe(progress_);
  run_in_children([this] { return next_task(); }, options_.jobs,
                  [&](std::size_t number, const ChildAnswer& answer) {
                    end_task(number, answer);
                    progress_.seconds_left = time_left_.seconds(options_.jobs);
                    observe(progress_);
                  });
}

std::map<std::size_t, PointAnswer> SweepRun::answers() const {
  std::map<std::size_t, PointAnswer> answers;
  for (std::size_t number = options_.shard - 1; number < plan_.points.size();
       number += options_.shards)
    if (!plan_.points[number].scenario)
      answers[number] = {without_result("illegal", plan_.points[number].illegal_reason), {}};
  for (const Point& point : points_)
    answers[point.number] = {*point.result, point.best_plans};
  return answers;
}

} // namespace moesim
