#pragma once

#include "sim/base/input_error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// One cell of the matrix that `nvidia-smi topo -m` prints: how two devices of a node connect.
struct SmiCell {
  std::string text;    ///< X, NV<number of links>, PIX, PXB, PHB, NODE or SYS
  InputLocation where; ///< columns count in the text as a terminal shows it, without escapes
  /// Links bonded between two GPUs; 0 where there is no NVLink.
  int nvlinks() const;
};

/// The matrix. `cells` has a row for every GPU, and for every NIC or for none: guides leave those
/// out. The affinity columns are not kept.
struct SmiMatrix {
  std::vector<std::string> gpus; ///< GPU0, …, as the columns name them
  std::vector<std::string> nics; ///< NIC0, … or mlx5_0, … in older output
  std::map<std::string, std::map<std::string, SmiCell>> cells; ///< by row, then column
  std::map<std::string, std::string> nic_legend;               ///< from NIC0 to mlx5_0

  const SmiCell& cell(const std::string& row, const std::string& column) const {
    return cells.at(row).at(column);
  }
};

/// Reads the matrix as a terminal, a pipe, a paste with aligned spaces or a Markdown table gives
/// it. Throws InputError where a cell is missing, run together with the next, unknown or not the
/// same in both directions: a matrix is never guessed.
SmiMatrix read_smi_matrix(const std::filesystem::path& file);

} // namespace moesim
