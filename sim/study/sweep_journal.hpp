#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

/// All that the answers of a sweep depend on: pairs of a name, of a file or of a kind of settings,
/// and a hash. Only hashes are compared; names tell what has changed.
using SweepIdentity = std::vector<std::pair<std::string, std::string>>;

/// The first name whose hash differs in another identity; "" if none does.
std::string first_difference(const SweepIdentity& identity, const SweepIdentity& other);

/// The finished tasks of a sweep, on disk as they finish. Each is one appended line with a CRC-32
/// at its end, so a kill loses no finished task. The task of a line that a kill cut off, or whose
/// checksum is wrong, runs again. The caller keeps the folder (FolderLock).
class SweepJournal {
public:
  /// Opens `folder`/journal.txt. The journal of another sweep is replaced under `OnOther::replace`,
  /// else an InputError that names the difference; so is a journal that cannot be written.
  enum class OnOther { refuse, replace };
  SweepJournal(const std::filesystem::path& folder, const SweepIdentity& identity,
               OnOther on_other);
  ~SweepJournal();
  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;

  /// The answer of a task; null if it has not finished.
  const std::string* find(const std::string& task) const;
  /// Neither the name of a task, without spaces, nor its answer may hold a line's end.
  void add(const std::string& task, const std::string& answer);
  const std::map<std::string, std::string>& answers() const { return answers_; }
  /// The lines, from 1, whose checksum was wrong. They are no longer in the file.
  const std::vector<std::size_t>& damaged_lines() const { return damaged_lines_; }
  /// Throws InputError at the line of a task; `message` says what is wrong with it.
  [[noreturn]] void refuse(const std::string& task, const std::string& message) const;

private:
  void read_back(const std::string& header, const SweepIdentity& identity, OnOther on_other);
  void take_line(const std::string& line, std::size_t number);
  void append(const std::string& line);

  std::filesystem::path path_;
  std::map<std::string, std::string> answers_;
  std::map<std::string, std::size_t> lines_; ///< by task
  std::vector<std::size_t> damaged_lines_;
  int descriptor_ = -1;
  std::chrono::steady_clock::time_point synchronised_ = {};
};

/// A hash of a text as 16 hexadecimal digits (FNV-1a, 64 bits).
std::string fingerprint_of(const std::string& text);

} // namespace moesim
