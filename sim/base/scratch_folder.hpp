#pragma once

#include <filesystem>

namespace moesim {

/// A folder of temporary files with a name of its own, removed with everything in it.
class ScratchFolder {
public:
  /// Throws InputError if the folder cannot be made.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace moesim
