#include "sim/study/simulated_run.hpp"

#include <boost/random/exponential_distribution.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/seed_seq.hpp>
#include <boost/random/uniform_01.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace moesim {

namespace {

constexpr double endless = std::numeric_limits<double>::infinity();

/// A checkpoint that a restart may begin from. Times in seconds.
struct WrittenCheckpoint {
  double done = 0.0;       ///< work
  double steps_time = 0.0; ///< that the work took
  double number = 0.0;     ///< checkpoints up to it
  double written = 0.0;    ///< by the clock
};

/// One training. Times are in seconds, as its clock is.
class SimulatedTraining {
public:
  SimulatedTraining(const JobFailures& job, Seconds work, Seconds interval,
                    boost::random::seed_seq& seeds)
      : job_(job), work_(work), interval_(interval), random_(seeds),
        next_nic_loss_(drawn(job.nic_loss_mtbf)) {}

  RunTime run() {
    while (!finished_)
      if (!reach_checkpoint())
        recover();
    time_.work = work_;
    time_.slower = Seconds{now_.steps_time} - work_;
    time_.checkpoints = now_.number * job_.stall;
    time_.lost_work = Seconds{clock_} - time_.total();
    return time_;
  }

private:
  double drawn(Seconds mean) {
    return std::isinf(mean.value)
               ? endless
               : boost::random::exponential_distribution<>()(random_) * mean.value;
  }

  double next_nic_change() const {
    return nics_back_.empty() ? next_nic_loss_ : std::min(next_nic_loss_, *nics_back_.begin());
  }
  void change_nics() {
    if (!nics_back_.empty() && *nics_back_.begin() <= next_nic_loss_) {
      nics_back_.erase(nics_back_.begin());
      return;
    }
    nics_back_.insert(next_nic_loss_ + drawn(job_.repair));
    next_nic_loss_ += drawn(job_.nic_loss_mtbf);
  }

  /// Lets time pass, without steps.
  void pass(double duration) {
    clock_ += duration;
    while (next_nic_change() <= clock_)
      change_nics();
  }

  /// Steps for `duration`, or until the training is finished.
  void step(double duration) {
    const double end = clock_ + duration;
    while (!finished_ && clock_ < end) {
      const double speed = nics_back_.empty() ? 1.0 : job_.degraded_speed;
      const double to_finish = (work_.value - now_.done) / speed;
      const double to_change = std::min(end, next_nic_change()) - clock_;
      finished_ = to_finish <= to_change;
      const double span = std::min(to_finish, to_change);
      now_.done += span * speed;
      now_.steps_time += span;
      pass(span);
    }
  }

  /// Runs to the end of the next checkpoint or of the training; false: a failure came first.
  bool reach_checkpoint() {
    const double failure = drawn(job_.stop_mtbf());
    step(std::min(failure, interval_.value));
    if (finished_)
      return true;
    pass(std::clamp(failure - interval_.value, 0.0, job_.stall.value));
    if (failure < (interval_ + job_.stall).value)
      return false;
    kept_ = last_; // the interval is long enough for it to be written by now
    now_.number += 1.0;
    last_ = now_;
    last_.written = clock_ + job_.write_delay.value;
    return true;
  }

  /// Goes back to the last checkpoint that is written, and restarts until a restart succeeds.
  void recover() {
    if (last_.written <= clock_)
      kept_ = last_;
    last_ = now_ = kept_;
    for (bool restarted = false; !restarted;) {
      time_.failures += 1.0;
      replace_host();
      const double failure = drawn(job_.stop_mtbf());
      const double spent = std::min(failure, job_.restart.value);
      pass(spent);
      time_.restarts += Seconds{spent};
      restarted = failure >= job_.restart.value;
    }
  }

  /// Takes a spare host where the failure takes one away; waits for a repair if none is left.
  void replace_host() {
    if (boost::random::uniform_01<>()(random_) >= job_.host_share())
      return;
    hosts_back_.erase(hosts_back_.begin(), hosts_back_.upper_bound(clock_));
    hosts_back_.insert(clock_ + drawn(job_.repair));
    if (static_cast<std::int64_t>(hosts_back_.size()) <= job_.spares)
      return;
    const double wait = *hosts_back_.begin() - clock_;
    time_.waiting += Seconds{wait};
    pass(wait);
  }

  const JobFailures& job_;
  Seconds work_;
  Seconds interval_;
  boost::random::mt19937_64 random_;
  RunTime time_;
  double clock_ = 0.0;
  bool finished_ = false;
  WrittenCheckpoint now_;            ///< as if it were written now
  WrittenCheckpoint last_;           ///< perhaps not yet written
  WrittenCheckpoint kept_;           ///< written
  std::multiset<double> hosts_back_; ///< ends of repairs
  std::multiset<double> nics_back_;
  double next_nic_loss_;
};

RunTime sum_of(const RunTime& a, const RunTime& b) {
  return {a.work + b.work,         a.checkpoints + b.checkpoints, a.lost_work + b.lost_work,
          a.restarts + b.restarts, a.waiting + b.waiting,         a.slower + b.slower,
          a.failures + b.failures};
}

RunTime scaled(const RunTime& time, double factor) {
  return {factor * time.work,     factor * time.checkpoints, factor * time.lost_work,
          factor * time.restarts, factor * time.waiting,     factor * time.slower,
          factor * time.failures};
}

} // namespace

RunTime simulated_run(const JobFailures& job, Seconds work, Seconds interval, std::uint64_t seed,
                      std::uint64_t number) {
  boost::random::seed_seq seeds{seed, number};
  return SimulatedTraining(job, work, interval, seeds).run();
}

SimulatedRuns simulate_runs(const JobFailures& job, Seconds work, Seconds interval,
                            std::uint64_t seed, std::uint64_t runs) {
  const auto count = static_cast<double>(runs);
  RunTime sum;
  double squares = 0.0; // of the deviations from the mean so far (Welford)
  for (std::uint64_t number = 0; number < runs; ++number) {
    const RunTime time = simulated_run(job, work, interval, seed, number);
    const double before = number == 0 ? 0.0 : sum.total().value / static_cast<double>(number);
    sum = sum_of(sum, time);
    const double after = sum.total().value / static_cast<double>(number + 1);
    if (number > 0)
      squares += (time.total().value - before) * (time.total().value - after);
  }
  constexpr double two_sided_95 = 1.96; // of the normal distribution
  const double mean = sum.total().value / count;
  const double half = two_sided_95 * std::sqrt(squares / (count - 1.0) / count);
  return {scaled(sum, 1.0 / count), {mean, mean - half, mean + half}};
}

} // namespace moesim
