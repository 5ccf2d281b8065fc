#pragma once

#include "cuda_microbench/core/nccl_library.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace moesim::microbench {

/// A file on a disk that all nodes see, by which the first process tells the others NCCL's id. It
/// holds the run's name and the id, as text.
class NcclIdFile {
public:
  /// `job` is the same for all processes of a run: an id of another run is not taken.
  NcclIdFile(std::filesystem::path path, std::string job);

  /// Writes the file, whole or not at all. Throws std::runtime_error if it cannot.
  void write(const NcclId& id) const;
  /// Waits until the file is there with the id of this run. Throws std::runtime_error after
  /// `timeout`, with what was there.
  NcclId wait(std::chrono::milliseconds timeout) const;
  /// Removes the file, once all have read it.
  void remove() const;

private:
  std::filesystem::path path_;
  std::string job_;
};

} // namespace moesim::microbench
