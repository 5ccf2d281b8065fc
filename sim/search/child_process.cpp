#include "sim/search/child_process.hpp"

#include "sim/base/output_file.hpp"
#include "sim/replay/machine.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace moesim {

namespace {

constexpr char answer_ok = '+';
constexpr char answer_failed = '-';
constexpr char answer_input_error = '!';
constexpr char answer_killed = '*'; // a process of its own was

[[noreturn]] void work_and_exit(int descriptor, const std::function<std::string()>& work) {
  std::string answer;
  try {
    answer = answer_ok + work();
  } catch (const InputError& error) {
    answer = answer_input_error + std::string(error.what());
  } catch (const ProcessKilled& killed) {
    answer = answer_killed + std::string(killed.what());
  } catch (const std::exception& error) {
    answer = answer_failed + std::string(error.what());
  }
  if (write_all(descriptor, answer) != 0)
    _exit(70);
  // No destructors: the parent's buffers and SimGrid's globals are not ours to flush.
  _exit(0);
}

InputError no_process(int number) {
  return {{"moesim"},
          fmt::format("cannot start a process: {}", std::strerror(number)),
          "use fewer --jobs, or raise the limits of `ulimit` (-n open files, -u processes)"};
}

/// A child under way.
struct Child {
  std::size_t number = 0;
  pid_t process = 0;
  int descriptor = -1;
  std::string answer;
};

Child start_child(std::size_t number, const std::function<std::string()>& work) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw no_process(errno);
  const pid_t process = fork();
  if (process < 0)
    throw no_process(errno);
  if (process == 0) {
    close(ends[0]);
    // A sweep that is killed takes its children along.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    work_and_exit(ends[1], work);
  }
  close(ends[1]);
  return {number, process, ends[0], ""};
}

/// Reads what there is; false at the end of the answer.
bool read_some(Child& child) {
  char buffer[4096];
  const ssize_t count = read(child.descriptor, buffer, sizeof buffer);
  if (count > 0)
    child.answer.append(buffer, static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

ChildAnswer finish_child(const Child& child) {
  close(child.descriptor);
  int status = 0;
  while (waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    return {.text = fmt::format("the process was ended by signal {} (SIG{})", WTERMSIG(status),
                                sigabbrev_np(WTERMSIG(status))),
            .killed = true};
  if (WEXITSTATUS(status) != 0 || child.answer.empty())
    return {.text = fmt::format("the process ended with status {}", WEXITSTATUS(status))};
  const char kind = child.answer.front();
  return {kind == answer_ok, child.answer.substr(1), kind == answer_input_error,
          kind == answer_killed};
}

} // namespace

std::string run_in_child(const std::function<std::string()>& work) {
  Child child = start_child(0, work);
  while (read_some(child)) {
  }
  const ChildAnswer answer = finish_child(child);
  if (answer.input_error)
    throw InputError::relayed(answer.text);
  if (answer.killed)
    throw ProcessKilled(answer.text);
  if (!answer.ok)
    throw InternalError(answer.text);
  return answer.text;
}

void run_in_children(const std::function<std::optional<ChildTask>()>& next, std::size_t jobs,
                     const AnswerObserver& on_answer) {
  std::vector<Child> running;
  while (true) {
    while (running.size() < jobs) {
      const std::optional<ChildTask> task = next();
      if (!task)
        break;
      Machine::load(); // once, not in each child that replays
      running.push_back(start_child(task->number, task->work));
    }
    if (running.empty())
      return;
    std::vector<pollfd> waits;
    for (const Child& child : running)
      waits.push_back({child.descriptor, POLLIN, 0});
    if (poll(waits.data(), waits.size(), -1) < 0)
      continue; // interrupted
    for (std::size_t i = waits.size(); i-- > 0;) {
      if (waits[i].revents == 0 || read_some(running[i]))
        continue;
      on_answer(running[i].number, finish_child(running[i]));
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

void run_in_children(const std::vector<ChildTask>& tasks, std::size_t jobs,
                     const AnswerObserver& on_answer) {
  std::size_t started = 0;
  run_in_children(
      [&]() -> std::optional<ChildTask> {
        if (started == tasks.size())
          return std::nullopt;
        return tasks[started++];
      },
      jobs, on_answer);
}

} // namespace moesim
