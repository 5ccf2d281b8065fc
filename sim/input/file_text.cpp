#include "sim/input/file_text.hpp"

#include "sim/base/input_error.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace moesim {

std::string read_file(const std::filesystem::path& path) {
  std::error_code unreadable; // the stream below says why
  if (std::filesystem::is_directory(path, unreadable))
    throw InputError({path.string()}, "is a folder, not a file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw InputError({path.string()}, std::string("cannot be read: ") + std::strerror(errno));
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

} // namespace moesim
