#pragma once

#include "sim/base/check.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The outcome of a forked process: its text, or the reason why it failed.
struct ChildAnswer {
  bool ok = false;
  std::string text;
  bool input_error = false; ///< it failed with an InputError: the user's mistake, not a defect
  bool killed = false;      ///< a signal ended it, or a process that it waited for
};

/// A signal has ended a process: the system lacked memory, somebody has killed it, or it crashed.
class ProcessKilled : public InternalError {
public:
  using InternalError::InternalError;
};

/// Runs `work` in a forked process and returns the text that it returns. An InputError in the child
/// comes back as InputError, any other exception as InternalError with its message. A child that a
/// signal ends is a ProcessKilled. Throws InputError if no process can be started.
std::string run_in_child(const std::function<std::string()>& work);

/// A piece of work for a process of its own.
struct ChildTask {
  std::size_t number = 0; ///< the caller's name for it
  std::function<std::string()> work;
};

/// Called with a task's number as it ends.
using AnswerObserver = std::function<void(std::size_t, const ChildAnswer&)>;

/// Runs tasks in forked processes, at most `jobs` at a time. `next` gives the task to start, or
/// nothing if none can start before another has ended; an answer may make more of them.
void run_in_children(const std::function<std::optional<ChildTask>()>& next, std::size_t jobs,
                     const AnswerObserver& on_answer);
/// Runs the tasks of a list, started in order.
void run_in_children(const std::vector<ChildTask>& tasks, std::size_t jobs,
                     const AnswerObserver& on_answer);

} // namespace moesim
