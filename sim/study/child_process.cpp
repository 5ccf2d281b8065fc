#include "sim/study/child_process.hpp"

#include "sim/base/check.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace moesim {

namespace {

constexpr char answer_ok = '+';
constexpr char answer_failed = '-';

void write_all(int descriptor, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(descriptor, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR)
      _exit(70);
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
}

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t count = read(descriptor, buffer, sizeof buffer);
    if (count > 0)
      text.append(buffer, static_cast<std::size_t>(count));
    else if (count == 0 || errno != EINTR)
      return text;
  }
}

[[noreturn]] void work_and_exit(int descriptor, const std::function<std::string()>& work) {
  std::string answer;
  try {
    answer = answer_ok + work();
  } catch (const std::exception& error) {
    answer = answer_failed + std::string(error.what());
  }
  write_all(descriptor, answer);
  // No destructors: the parent's buffers and SimGrid's globals are not ours to flush.
  _exit(0);
}

} // namespace

std::string run_in_child(const std::function<std::string()>& work) {
  int ends[2];
  INVARIANT(pipe(ends) == 0, "pipe: {}", std::strerror(errno));
  const pid_t child = fork();
  INVARIANT(child >= 0, "fork: {}", std::strerror(errno));
  if (child == 0) {
    close(ends[0]);
    work_and_exit(ends[1], work);
  }
  close(ends[1]);
  const std::string answer = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  INVARIANT(WIFEXITED(status) && WEXITSTATUS(status) == 0 && !answer.empty(),
            "the replay's process ended with status {}", status);
  if (answer.front() == answer_failed)
    throw InternalError(answer.substr(1));
  return answer.substr(1);
}

} // namespace moesim
