#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>

namespace moesim {

/// The finished points of a sweep, on disk as they finish. Each is one appended line, so a kill
/// loses no finished point; a line that a kill cut off is ignored and written again.
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

  /// CSV rows by the number of their point.
  const std::map<std::size_t, std::string>& rows() const { return rows_; }
  void add(std::size_t point, const std::string& row);

private:
  void read_back(const std::filesystem::path& path, const std::string& header, OnOther on_other);
  void append(const std::string& line);

  std::map<std::size_t, std::string> rows_;
  int descriptor_ = -1;
};

/// A hash of a text as 16 hexadecimal digits (FNV-1a, 64 bits).
std::string fingerprint_of(const std::string& text);

} // namespace moesim
