#include "sim/base/output_file.hpp"

#include "sim/base/input_error.hpp"

#include <fstream>

namespace moesim {

void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path partial = path.string() + ".partial";
  std::ofstream stream(partial, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream)
    throw InputError({partial.string()}, "cannot be written");
  std::filesystem::rename(partial, path);
}

} // namespace moesim
