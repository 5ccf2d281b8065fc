#include "sim/study/sweep_journal.hpp"

#include "sim/base/input_error.hpp"
#include "sim/base/output_file.hpp"
#include "sim/input/file_text.hpp"

#include <boost/crc.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace moesim {

namespace {

constexpr const char* header_start = "moesim journal 2 ";
constexpr const char* restart_hint =
    "choose another folder for --out, or add --restart to replace its results";

std::string with_checksum(const std::string& text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return fmt::format("{} {:08x}", text, crc.checksum());
}

/// The text of a line before its checksum; nothing if that is wrong.
std::optional<std::string> checked(const std::string& line) {
  const std::size_t space = line.rfind(' ');
  if (space == std::string::npos || with_checksum(line.substr(0, space)) != line)
    return std::nullopt;
  return line.substr(0, space);
}

/// Names of files may hold bytes that are no UTF-8: those are replaced.
std::string header_of(const SweepIdentity& identity) {
  return header_start +
         nlohmann::json(identity).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The complete lines of a text.
std::vector<std::string> complete_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t start = 0, end = 0; (end = text.find('\n', start)) != std::string::npos;
       start = end + 1)
    lines.push_back(text.substr(start, end - start));
  return lines;
}

} // namespace

std::string first_difference(const SweepIdentity& identity, const SweepIdentity& other) {
  for (std::size_t i = 0; i < std::min(identity.size(), other.size()); ++i)
    if (identity[i].second != other[i].second)
      return identity[i].first;
  if (identity.size() != other.size())
    return "number of files";
  return "";
}

SweepJournal::SweepJournal(const std::filesystem::path& folder, const SweepIdentity& identity,
                           OnOther on_other)
    : path_(folder / "journal.txt") {
  std::error_code error;
  if (std::filesystem::exists(path_, error))
    read_back(header_of(identity), identity, on_other);
  else
    write_file(path_, with_checksum(header_of(identity)) + "\n");
  descriptor_ = open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0)
    throw cannot_be_written(path_, errno);
}

SweepJournal::~SweepJournal() {
  fdatasync(descriptor_);
  close(descriptor_);
}

void SweepJournal::read_back(const std::string& header, const SweepIdentity& identity,
                             OnOther on_other) {
  const std::string text = read_file(path_);
  const std::vector<std::string> lines = complete_lines(text);
  const std::optional<std::string> first = lines.empty() ? std::nullopt : checked(lines[0]);
  std::string difference;
  if (!first)
    difference = lines.empty() || lines[0].starts_with("moesim sweep ") ? "version" : "damaged";
  else if (!first->starts_with(header_start))
    difference = "version";
  else
    difference = first_difference(
        identity, nlohmann::json::parse(first->substr(std::string(header_start).size()))
                      .get<SweepIdentity>());
  if (!difference.empty() && !lines.empty() && on_other == OnOther::refuse)
    throw difference == "damaged"
        ? InputError({path_.string(), 1}, "the line is damaged", restart_hint)
        : InputError({path_.string()},
                     fmt::format("belongs to another sweep or plan: another {}", difference),
                     restart_hint);
  const bool other = !difference.empty();
  for (std::size_t i = 1; !other && i < lines.size(); ++i)
    take_line(lines[i], i + 1);
  const bool cut = !text.ends_with('\n'); // the next line must not join it
  if (!other && !cut && damaged_lines_.empty())
    return;
  std::string kept = with_checksum(header) + "\n";
  for (const auto& [task, answer] : answers_)
    kept += with_checksum(task + " " + answer) + "\n";
  write_file(path_, kept);
}

void SweepJournal::take_line(const std::string& line, std::size_t number) {
  const std::optional<std::string> text = checked(line);
  const std::size_t space = text ? text->find(' ') : std::string::npos;
  if (space == std::string::npos) {
    damaged_lines_.push_back(number);
    return;
  }
  const std::string task = text->substr(0, space);
  const auto [known, added] = lines_.emplace(task, number);
  if (!added)
    refuse(task, fmt::format("line {} has an answer of {} too", number, task));
  answers_[task] = text->substr(space + 1);
}

void SweepJournal::refuse(const std::string& task, const std::string& message) const {
  throw InputError({path_.string(), static_cast<int>(lines_.at(task))}, message,
                   "delete the line: its task runs again");
}

void SweepJournal::append(const std::string& line) {
  // One write call: a kill never leaves half of it followed by more.
  const off_t before = lseek(descriptor_, 0, SEEK_END);
  if (const int number = write_all(descriptor_, with_checksum(line) + "\n"); number != 0) {
    // The next run leaves a cut line out in any case.
    [[maybe_unused]] const int cut = ftruncate(descriptor_, before);
    throw cannot_be_written(path_, number);
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - synchronised_ < std::chrono::seconds(1))
    return;
  synchronised_ = now;
  if (fdatasync(descriptor_) != 0)
    throw cannot_be_written(path_, errno);
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
