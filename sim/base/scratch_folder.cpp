#include "sim/base/scratch_folder.hpp"

#include "sim/base/input_error.hpp"

#include <string>
#include <system_error>
#include <utility>

#include <stdlib.h>

namespace moesim {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "moesim-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw InputError({name}, "the folder cannot be made");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty())
    std::filesystem::remove_all(path_, ignored);
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

} // namespace moesim
