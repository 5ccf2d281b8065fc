#include "sim/study/sweep_journal.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/input/file_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace moesim {

SweepJournal::SweepJournal(const std::filesystem::path& folder, const std::string& fingerprint,
                           OnOther on_other) {
  const std::filesystem::path path = folder / "journal.txt";
  const std::string header = "moesim sweep " + fingerprint;
  if (std::filesystem::exists(path))
    read_back(path, header, on_other);
  descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    throw InputError({path.string()}, std::string("cannot be written: ") + std::strerror(errno));
  if (std::filesystem::file_size(path) == 0) // new
    append(header);
}

SweepJournal::~SweepJournal() {
  close(descriptor_);
}

void SweepJournal::read_back(const std::filesystem::path& path, const std::string& header,
                             OnOther on_other) {
  const std::string text = read_file(path);
  const std::size_t complete = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  const std::size_t header_end = text.find('\n');
  if (complete > 0 && text.substr(0, header_end) != header) {
    if (on_other == OnOther::refuse)
      throw InputError({path.string()},
                       "belongs to another sweep or plan: other inputs, settings or version",
                       "choose another folder for --out, or add --restart to replace its results");
    std::filesystem::remove(path);
    return;
  }
  for (std::size_t start = header_end + 1; complete > 0 && start < complete;) {
    const std::size_t end = text.find('\n', start);
    const std::size_t space = text.find(' ', start);
    if (space < end)
      answers_[text.substr(start, space - start)] = text.substr(space + 1, end - space - 1);
    start = end + 1;
  }
  // The next line must not join one that was cut off.
  if (complete < text.size())
    std::filesystem::resize_file(path, complete);
}

void SweepJournal::append(const std::string& line) {
  const std::string text = line + "\n";
  // One write call: another process, or a kill, never sees half of it followed by more.
  const ssize_t written = write(descriptor_, text.data(), text.size());
  INVARIANT(written == static_cast<ssize_t>(text.size()), "wrote {} of {} bytes: {}", written,
            text.size(), std::strerror(errno));
}

const std::string* SweepJournal::find(const std::string& task) const {
  const auto found = answers_.find(task);
  return found == answers_.end() ? nullptr : &found->second;
}

void SweepJournal::add(const std::string& task, const std::string& answer) {
  append(task + " " + answer);
  answers_[task] = answer;
}

std::string fingerprint_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char character : text) {
    hash ^= static_cast<unsigned char>(character);
    hash *= 1099511628211ULL;
  }
  return fmt::format("{:016x}", hash);
}

} // namespace moesim
