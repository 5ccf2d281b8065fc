#include "sim/study/folder_lock.hpp"

#include "sim/base/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace moesim {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  make_folder(folder);
  const std::filesystem::path path = folder / "lock";
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (descriptor_ < 0)
    throw cannot_be_written(path, errno);
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(descriptor_, F_SETLK, &whole) == 0)
    return;
  const int number = errno;
  struct flock holder = whole;
  const bool known = fcntl(descriptor_, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
  close(descriptor_);
  if (number != EAGAIN && number != EACCES)
    throw cannot_be_written(path, number);
  throw InputError({folder.string()},
                   known && holder.l_pid > 0
                       ? fmt::format("process {} is writing results here", holder.l_pid)
                       : "another process is writing results here",
                   "wait for it to end, or choose another folder for --out");
}

FolderLock::~FolderLock() {
  close(descriptor_);
}

} // namespace moesim
