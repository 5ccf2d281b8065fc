#include "sim/base/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace moesim {

namespace {

namespace fs = std::filesystem;

const char* hint_of(int number) {
  switch (number) {
  case ENOSPC:
  case EDQUOT:
    return "free some space there, or choose another folder, and run the same command again";
  case EROFS:
  case EACCES:
  case EPERM:
    return "choose a folder that you may write to";
  case EISDIR:
    return "name a file; this is a folder";
  case EEXIST:
  case ENOTDIR:
    return "name a folder; a part of this path is a file";
  case ENAMETOOLONG:
    return "choose a shorter name";
  case ELOOP:
    return "remove the link, which leads to itself";
  case EMFILE:
  case ENFILE:
    return "allow more open files (`ulimit -n`), or use fewer --jobs";
  default:
    return "";
  }
}

/// A new file in the folder of `path`, under a name that nothing there has.
std::pair<fs::path, int> open_beside(const fs::path& path) {
  for (int attempt = 0;; ++attempt) {
    fs::path beside = path.parent_path() / fmt::format(".moesim-{}-{}.partial", getpid(), attempt);
    const int descriptor =
        open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor >= 0)
      return {std::move(beside), descriptor};
    if (errno != EEXIST)
      throw cannot_be_written(path, errno);
  }
}

void write_in_place(const fs::path& path, const std::string& text) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw cannot_be_written(path, errno);
  const int number = write_all(descriptor, text);
  close(descriptor);
  if (number != 0)
    throw cannot_be_written(path, number);
}

} // namespace

InputError cannot_be_written(const fs::path& path, int number) {
  return {{path.string()},
          fmt::format("cannot be written: {}", std::strerror(number)),
          hint_of(number)};
}

void expect_no_input(const std::string& option, const fs::path& output,
                     const std::vector<fs::path>& inputs) {
  for (const fs::path& input : inputs)
    if (std::error_code error; fs::equivalent(input, output, error))
      throw InputError({option + " " + output.string()}, "is a file that this command reads",
                       "choose another name: it would be overwritten");
}

int write_all(int descriptor, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(descriptor, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR)
      return errno;
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  return 0;
}

void make_folder(const fs::path& folder) {
  if (folder.empty())
    throw InputError({"--out"}, "the name of the folder is empty", "write --out DIR");
  std::error_code error;
  if (fs::is_directory(folder, error))
    return;
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder, error))
    error = std::make_error_code(std::errc::not_a_directory);
  if (error)
    throw cannot_be_written(folder, error.value());
}

void write_file(const fs::path& path, const std::string& text) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) // a link to itself, a name too long
    throw cannot_be_written(path, error.value());
  if (fs::is_directory(status))
    throw cannot_be_written(path, EISDIR);
  if (fs::exists(status) && !fs::is_regular_file(status))
    return write_in_place(path, text);
  const auto [beside, descriptor] = open_beside(path);
  int number = write_all(descriptor, text);
  if (number == 0 && fsync(descriptor) != 0)
    number = errno;
  if (close(descriptor) != 0 && number == 0)
    number = errno;
  if (number == 0 && std::rename(beside.c_str(), path.c_str()) != 0)
    number = errno;
  if (number == 0)
    return;
  unlink(beside.c_str());
  throw cannot_be_written(path, number);
}

} // namespace moesim
