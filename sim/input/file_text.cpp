#include "sim/input/file_text.hpp"

#include "sim/base/input_error.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace moesim {

std::string read_file(const std::filesystem::path& path) {
  std::error_code unreadable; // the stream below says why
  if (std::filesystem::is_directory(path, unreadable))
    throw InputError({path.string()}, "is a folder, not a file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw InputError({path.string()}, std::string("cannot be read: ") + std::strerror(errno));
  std::string text;
  std::error_code endless; // of a pipe, say
  if (const auto size = std::filesystem::file_size(path, endless); !endless)
    text.reserve(size);
  std::array<char, 1 << 16> part;
  while (stream.read(part.data(), part.size()), stream.gcount() > 0)
    text.append(part.data(), static_cast<std::size_t>(stream.gcount()));
  return text;
}

} // namespace moesim
