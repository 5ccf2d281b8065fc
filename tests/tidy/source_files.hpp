#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

/// The project's own files as text, and violations of a rule as lines of a report.
namespace moesim::tidy {

namespace fs = std::filesystem;
using Violations = std::vector<std::string>;

const fs::path source_dir = MOESIM_SOURCE_DIR;

/// Folders whose files are ours; what people install or build there is not.
const std::vector<std::string> folders = {
    "sim",       "tests",   "bench", "cuda_microbench", "calibration", "topologies",
    "workloads", "reports", "docs"};
const std::set<std::string> foreign = {"node_modules", "build", "dist", "package-lock.json"};

struct SourceFile {
  std::string path; ///< relative to the project, with slashes
  std::string text;
  std::vector<std::string> lines;

  bool is(std::initializer_list<const char*> extensions) const {
    const std::string own = fs::path(path).extension().string();
    return std::find(extensions.begin(), extensions.end(), own) != extensions.end();
  }
  bool is_cpp() const { return is({".cpp", ".hpp", ".cu", ".cuh"}); }
  bool is_cmake() const { return is({".cmake"}) || fs::path(path).filename() == "CMakeLists.txt"; }
  bool is_data() const { return is({".csv", ".json", ".toml"}); }
  bool is_in(const std::string& prefix) const {
    return path.compare(0, prefix.size(), prefix) == 0;
  }
};

inline SourceFile read(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  SourceFile file{fs::relative(path, source_dir).generic_string(), text.str(), {}};
  std::istringstream lines(file.text);
  for (std::string line; std::getline(lines, line);)
    file.lines.push_back(line);
  return file;
}

inline bool is_text(const fs::path& path) {
  static const std::set<std::string> extensions = {
      ".cpp", ".hpp",  ".cu",  ".cuh", ".txt",  ".cmake", ".toml", ".csv",
      ".md",  ".json", ".mjs", ".js",  ".html", ".css",   ".py",   ".sh"};
  return extensions.count(path.extension().string()) > 0;
}

/// Every text file of the project, in the order of their names.
inline std::vector<SourceFile> read_project() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(source_dir))
    if (entry.is_regular_file() && entry.path().filename() != ".git" && // of a linked worktree
        (is_text(entry.path()) || !entry.path().has_extension()))
      paths.push_back(entry.path()); // scripts at the top have no extension
  for (const std::string& folder : folders) {
    if (!fs::exists(source_dir / folder))
      continue;
    for (auto entry = fs::recursive_directory_iterator(source_dir / folder);
         entry != fs::recursive_directory_iterator(); ++entry)
      if (foreign.count(entry->path().filename().string()) > 0)
        entry.disable_recursion_pending();
      else if (entry->is_regular_file() && is_text(entry->path()))
        paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<SourceFile> files;
  for (const fs::path& path : paths)
    files.push_back(read(path));
  return files;
}

inline std::string place(const SourceFile& file, std::size_t line, const std::string& rule) {
  return file.path + ":" + std::to_string(line + 1) + ": " + rule;
}

/// One line a violation, for the failure's message; empty if there are none.
inline std::string listed(const Violations& violations) {
  std::string text;
  for (const std::string& violation : violations)
    text += "\n" + violation;
  return text;
}

} // namespace moesim::tidy
