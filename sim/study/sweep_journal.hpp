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
  /// Throws InputError if the folder holds the journal of another sweep, or cannot be written.
  SweepJournal(const std::filesystem::path& folder, const std::string& fingerprint);
  ~SweepJournal();
  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;

  /// CSV rows by the number of their point.
  const std::map<std::size_t, std::string>& rows() const { return rows_; }
  void add(std::size_t point, const std::string& row);

private:
  void read_back(const std::filesystem::path& path, const std::string& header);
  void append(const std::string& line);

  std::map<std::size_t, std::string> rows_;
  int descriptor_ = -1;
};

/// A hash of a text as 16 hexadecimal digits (FNV-1a, 64 bits).
std::string fingerprint_of(const std::string& text);

} // namespace moesim
