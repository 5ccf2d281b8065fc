#include "sim/importer/nvidia_smi_matrix.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

/// Four GPUs, two NICs; spaces align the columns.
const std::string four = "      GPU0  GPU1  GPU2  GPU3  NIC0  NIC1  CPU Affinity  NUMA Affinity\n"
                         "GPU0   X    NV18  NV18  NV18  PIX   SYS   0-15          0\n"
                         "GPU1  NV18   X    NV18  NV18  PXB   SYS   0-15          0\n"
                         "GPU2  NV18  NV18   X    NV18  SYS   PIX   16-31         1\n"
                         "GPU3  NV18  NV18  NV18   X    SYS   PIX   16-31         1\n"
                         "NIC0  PIX   PXB   SYS   SYS    X    SYS\n"
                         "NIC1  SYS   SYS   PIX   PIX   SYS    X\n";

/// Output on a terminal: tabs, an underlined header, empty cells at the end.
const std::string raw =
    "\t\x1b[4mGPU0\tGPU1\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\n"
    "GPU0\t X \tNV12\tPXB\t0-23\t0\t\tN/A\n"
    "GPU1\tNV12\t X \tNODE\t0-23\t0\t\tN/A\n"
    "NIC0\tPXB\tNODE\t X \t\t\t\t\n"
    "\nLegend:\n\n  X    = Self\n  NV#  = Connection traversing a bonded set of # NVLinks\n"
    "\nNIC Legend:\n\n  NIC0: mlx5_4\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

SmiMatrix read(const std::string& text) {
  const TemporaryFolder folder;
  return read_smi_matrix(folder.write("topo.txt", text));
}

/// The complete message, without the folder.
std::string matrix_message(const std::string& text) {
  const TemporaryFolder folder;
  try {
    read_smi_matrix(folder.write("topo.txt", text));
  } catch (const InputError& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "no error";
}

const std::string whole_output = "  hint: give the whole output of `nvidia-smi topo -m > topo.txt`";

} // namespace

TEST_CASE("the terminal's matrix and what pastes make of it are the same") {
  struct Row {
    std::string name;
    std::string text;
  };
  const std::vector<Row> rows = {
      {"as it comes", raw},
      {"Windows line ends", replaced(raw, "\n", "\r\n")},
      {"without the escape character", replaced(raw, "\x1b", "")},
      {"without CPU affinity", replaced(raw, "\t0-23\t", "\t\t")},
      {"spaces for tabs", replaced(raw, "\t", "     ")},
      {"behind the command", "$ nvidia-smi topo -m\n" + raw},
      {"an older header", replaced(raw, "\tGPU NUMA ID", "")},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const SmiMatrix matrix = read(row.text);
    CHECK(matrix.gpus == std::vector<std::string>{"GPU0", "GPU1"});
    CHECK(matrix.nics == std::vector<std::string>{"NIC0"});
    CHECK(matrix.cell("GPU0", "GPU1").nvlinks() == 12);
    CHECK(matrix.cell("GPU0", "NIC0").text == "PXB");
    CHECK(matrix.cell("GPU0", "NIC0").nvlinks() == 0);
    CHECK(matrix.cell("NIC0", "GPU1").text == "NODE");
    CHECK(matrix.nic_legend.at("NIC0") == "mlx5_4");
  }
}

TEST_CASE("older matrices name NICs as the system does") {
  const SmiMatrix matrix = read(replaced(replaced(raw, "NIC0:", "-"), "NIC0", "mlx5_bond_0"));
  CHECK(matrix.nics == std::vector<std::string>{"mlx5_bond_0"});
  CHECK(matrix.nic_legend.empty());
}

TEST_CASE("a Markdown table of GPU rows alone is a matrix") {
  const SmiMatrix matrix = read("Some guide:\n\n"
                                "|          | GPU0 | GPU1 | NIC0 | CPU Affinity | GPU NUMA ID |\n"
                                "|:---------|------|------|------|--------------|-------------|\n"
                                "| **GPU0** | X    | NV18 | NODE | 0-71         |             |\n"
                                "| **GPU1** | NV18 | X    | SYS  | 72-143       |             |\n");
  CHECK(matrix.gpus.size() == 2);
  CHECK(matrix.cell("GPU1", "NIC0").text == "SYS");
  CHECK(matrix.cells.count("NIC0") == 0);
}

TEST_CASE("a matrix that cannot be trusted is refused at its place") {
  struct Row {
    std::string text;
    std::string message;
  };
  const std::string pair = "      GPU0  GPU1  CPU Affinity\n"
                           "GPU0   X    NV18  0-15\n"
                           "GPU1  NV18   X    0-15\n";
  const std::vector<Row> rows = {
      {"no matrix here\n",
       "topo.txt: error: holds no matrix: no line begins with the columns GPU0, GPU1, …\n" +
           whole_output},
      {replaced(four, "SYS   PIX   16", "NODENODE   16"),
       "topo.txt:4:31: error: \"NODENODE\" is two cells run together\n"
       "  GPU2  NV18  NV18   X    NV18  NODENODE   16-31         1\n"
       "                                ^\n" +
           whole_output},
      {replaced(four, "SYS   SYS    X    SYS", "SYS   SYS    X"),
       "topo.txt:6:32: error: NIC0 has 5 cells for 6 columns\n"
       "  NIC0  PIX   PXB   SYS   SYS    X\n"
       "                                 ^\n" +
           whole_output},
      {replaced(pair, "NV18  0-15", "0-15"),
       "topo.txt:2:13: error: \"0-15\" is not a connection: GPU0 has 1 of them for 2 columns\n"
       "  GPU0   X    0-15\n"
       "              ^\n"
       "  hint: a connection is NV and a number, PIX, PXB, PHB, NODE or SYS"},
      {replaced(pair, "GPU1  NV18", "GPU1  NV12"),
       "topo.txt:3:7: error: NV12 from GPU1 to GPU0, but NV18 from GPU0 to GPU1 in line 2\n"
       "  GPU1  NV12   X    0-15\n"
       "        ^\n" +
           whole_output},
      {replaced(pair, "NV18  0-15", "OK    0-15"),
       "topo.txt:2:13: error: \"OK\" is of `nvidia-smi topo -p2p`, which tells whether GPUs may "
       "read each other, not how they connect\n"
       "  GPU0   X    OK    0-15\n"
       "              ^\n" +
           whole_output},
      {"\tGPU0\tGPU1\nGPU0\t X \tCNS\nGPU1\tCNS\t X \n",
       "topo.txt:2:10: error: \"CNS\" is of `nvidia-smi topo -p2p`, which tells whether GPUs may "
       "read each other, not how they connect\n"
       "  GPU0\t X \tCNS\n"
       "      \t   \t^\n" +
           whole_output},
  };
  for (const Row& row : rows)
    CHECK(matrix_message(row.text) == row.message);
}

TEST_CASE("rows and columns that do not belong together are refused") {
  struct Row {
    std::string text;
    std::string first_line;
  };
  const std::string pair = "      GPU0  GPU1\nGPU0   X    NV18\nGPU1  NV18   X\n";
  const std::vector<Row> rows = {
      {replaced(pair, "GPU1  NV18   X\n", ""),
       "topo.txt:1:13: error: GPU1 has a column but no row"},
      {pair + "GPU2  NV18  NV18\n", "topo.txt:4:1: error: GPU2 has a row but no column"},
      {pair + "GPU1  NV18   X\n", "topo.txt:4:1: error: GPU1 has two rows"},
      {pair + pair, "topo.txt:4:7: error: a second matrix"},
      {replaced(pair, "GPU1\n", "GPU0\n"), "topo.txt:1:13: error: GPU0 has two columns"},
      {replaced(pair, "X    NV18", "X    NV18  SYS"),
       "topo.txt:2:19: error: GPU0 has more cells than the 2 columns"},
      {replaced(pair, " X    NV18", "NV18   X"),
       "topo.txt:2:7: error: \"NV18\" from GPU0 to GPU0: X stands where row and column are the "
       "same device"},
      {replaced(pair, "GPU1\n", "GPU1  NIC0NIC1\n"),
       "topo.txt:1:19: error: \"NIC0NIC1\" is not a GPU, a NIC or the name of one"},
      {replaced(four, "NIC1  SYS   SYS   PIX   PIX   SYS    X\n", ""),
       "topo.txt:1:37: error: NIC1 has a column but no row"},
      {"|  | GPU0 | GPU1 |\n|--|--|--|\n| GPU0 | X |  | 0-15 |\n",
       "topo.txt:3:13: error: \"\" is not a connection: GPU0 has 1 of them for 2 columns"},
  };
  for (const Row& row : rows) {
    const std::string message = matrix_message(row.text);
    CHECK(message.substr(0, message.find('\n')) == row.first_line);
  }
}
