#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// The finished tasks of a sweep, on disk as they finish. Each is one appended line, so a kill
/// loses no finished task; a line that a kill cut off is ignored and its task runs again.
class SweepJournal {
public:
  /// Opens `folder`/journal.txt. `fingerprint` identifies the sweep: inputs, settings and version.
  /// The journal of another sweep is replaced under `OnOther::replace`, else an InputError; so is a
  /// journal that cannot be written.
  enum class OnOther { refuse, replace };
  SweepJournal(const std::filesystem::path& folder, const std::string& fingerprint,
               OnOther on_other);
  ~SweepJournal();
  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;

  /// The answer of a task; null if it has not finished.
  const std::string* find(const std::string& task) const;
  /// Neither the name of a task, without spaces, nor its answer may hold a line's end.
  void add(const std::string& task, const std::string& answer);

private:
  void read_back(const std::filesystem::path& path, const std::string& header, OnOther on_other);
  void append(const std::string& line);

  std::map<std::string, std::string> answers_;
  int descriptor_ = -1;
};

/// A hash of a text as 16 hexadecimal digits (FNV-1a, 64 bits).
std::string fingerprint_of(const std::string& text);

} // namespace moesim
