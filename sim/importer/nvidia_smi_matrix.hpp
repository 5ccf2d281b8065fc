#pragma once

#include "sim/base/input_error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// One cell of the matrix of `nvidia-smi topo -m`: the connection of two devices of a node.
struct SmiCell {
  std::string text;    ///< X, NV<number of links>, PIX, PXB, PHB, NODE or SYS
  InputLocation where; ///< columns count in the text without terminal codes
  /// Number of NVLinks between two GPUs; 0 without NVLink.
  int nvlinks() const;
};

/// The matrix. `cells` has a row for every GPU, and for every NIC or for none, as guides leave out
/// those rows. The affinity columns are dropped.
struct SmiMatrix {
  std::vector<std::string> gpus; ///< GPU0, …: names of columns
  std::vector<std::string> nics; ///< NIC0, …; in older output mlx5_0, …
  std::map<std::string, std::map<std::string, SmiCell>> cells; ///< by row, then column
  std::map<std::string, std::string> nic_legend;               ///< from NIC0 to mlx5_0

  const SmiCell& cell(const std::string& row, const std::string& column) const {
    return cells.at(row).at(column);
  }
};

/// Reads the matrix from a terminal, a pipe, pasted text with aligned spaces or a Markdown table.
/// Throws InputError for a cell that is missing, joined with the next, unknown or different in the
/// two directions: no cell is guessed.
SmiMatrix read_smi_matrix(const std::filesystem::path& file);

} // namespace moesim
