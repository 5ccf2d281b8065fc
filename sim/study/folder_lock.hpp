#pragma once

#include <filesystem>

namespace moesim {

/// Keeps a folder of results for this process, until its end however it ends. The lock is that of
/// fcntl: the system's own, also over NFS, and never passed to a child.
class FolderLock {
public:
  /// Makes the folder. Throws InputError if it cannot be written, or if another process keeps it.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

private:
  int descriptor_ = -1;
};

} // namespace moesim
