#include "sim/importer/nvidia_smi_matrix.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>

namespace moesim {

namespace {

const std::string whole_hint = "give the whole output of `nvidia-smi topo -m > topo.txt`";

/// Most bytes of a line; 8 GPUs with 10 NICs take about 200.
constexpr std::size_t matrix_line_bytes_max = 4'000;

struct Token {
  std::string text;
  InputLocation where;
};

struct Line {
  bool is_markdown = false;
  std::vector<Token> tokens;
};

bool matches(const std::string& text, const char* pattern) {
  return std::regex_match(text, std::regex(pattern));
}

bool is_gpu(const std::string& name) {
  return matches(name, "GPU[0-9]+");
}

/// Whether a name is NIC0 or that of an RDMA device: mlx5_0, mlx5_bond_0, rdmap16s27.
bool is_device(const std::string& name) {
  return matches(name, "(GPU|NIC)[0-9]+|[a-z][a-z0-9]*_?[a-z0-9_]*[0-9]");
}

bool is_connection(const std::string& text) {
  return matches(text, "X|NV[1-9][0-9]?|PIX|PXB|PHB|NODE|SYS");
}

/// Whether a text is two or more connections without a space between them.
bool is_run_together(const std::string& text) {
  return matches(text, "(NV[1-9][0-9]?|PIX|PXB|PHB|NODE|SYS|X){2,}");
}

/// Whether a header is a column after the devices: CPU Affinity, NUMA Affinity, GPU NUMA ID.
bool is_affinity(const std::string& header) {
  return matches(header, "(CPU|NUMA)( .*)?|GPU( .*)?");
}

/// The line without terminal codes, which underline the header. Pasted text often lacks their
/// escape character.
std::string visible(const std::string& line) {
  static const std::regex escape("\x1b?\\[[0-9;]*m|\r");
  return std::regex_replace(line, escape, "");
}

std::string trimmed(const std::string& text, const char* around) {
  const std::size_t first = text.find_first_not_of(around);
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(around) - first + 1);
}

/// The cells of a Markdown line, empty ones included, so that none shifts to the left.
std::vector<Token> markdown_cells(const InputLocation& line) {
  const std::string& text = line.source_line;
  std::vector<Token> cells;
  for (std::size_t start = text.find('|') + 1; start < text.size();) {
    const std::size_t end = std::min(text.find('|', start), text.size());
    const std::string cell = text.substr(start, end - start);
    Token token{trimmed(cell, " \t*`"), line};
    const std::size_t inside = cell.find_first_not_of(" \t*`");
    token.where.column = static_cast<int>(start + (inside == std::string::npos ? 0 : inside)) + 1;
    if (end < text.size() || !token.text.empty())
      cells.push_back(token);
    start = end + 1;
  }
  return cells;
}

std::vector<Token> words(const InputLocation& line) {
  const std::string& text = line.source_line;
  std::vector<Token> found;
  for (std::size_t start = text.find_first_not_of(" \t"); start != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", start), text.size());
    found.push_back({text.substr(start, end - start), line});
    found.back().where.column = static_cast<int>(start) + 1;
    start = text.find_first_not_of(" \t", end);
  }
  return found;
}

std::vector<Line> read_lines(const std::filesystem::path& file) {
  std::istringstream text(read_file(file));
  std::vector<Line> lines;
  int number = 0;
  for (std::string raw; std::getline(text, raw);) {
    ++number;
    if (raw.size() > matrix_line_bytes_max)
      throw InputError({file.string(), number, 1, raw.substr(0, 80)},
                       fmt::format("a line of more than {} bytes", matrix_line_bytes_max),
                       whole_hint);
    const InputLocation where{file.string(), number, 1, visible(raw)};
    Line line;
    line.is_markdown = trimmed(where.source_line, " \t").rfind('|', 0) == 0;
    line.tokens = line.is_markdown ? markdown_cells(where) : words(where);
    const bool rule = matches(trimmed(where.source_line, " \t"), "[|: -]+");
    if (!line.tokens.empty() && !rule)
      lines.push_back(line);
  }
  return lines;
}

/// The names of columns, without the corner of a Markdown table. Empty for any other line.
std::vector<Token> header_of(const Line& line) {
  std::vector<Token> names = line.tokens;
  if (line.is_markdown && !names.empty())
    names.erase(names.begin());
  const bool header = !names.empty() && is_gpu(names[0].text) &&
                      (names.size() == 1 || is_device(names[1].text) || is_affinity(names[1].text));
  return header ? names : std::vector<Token>{};
}

/// Sorts the columns into GPUs and NICs and returns all of them in order.
std::vector<std::string> read_columns(const std::vector<Token>& header, SmiMatrix& matrix) {
  std::vector<std::string> columns;
  for (const Token& token : header) {
    if (is_affinity(token.text))
      break;
    if (!is_device(token.text))
      throw InputError(token.where,
                       fmt::format("\"{}\" is not a GPU, a NIC or the name of one", token.text),
                       whole_hint);
    if (std::count(columns.begin(), columns.end(), token.text) > 0)
      throw InputError(token.where, fmt::format("{} has two columns", token.text), whole_hint);
    columns.push_back(token.text);
    (is_gpu(token.text) ? matrix.gpus : matrix.nics).push_back(token.text);
  }
  return columns;
}

[[noreturn]] void refuse_cell(const Token& token, const std::string& row, std::size_t found,
                              std::size_t columns) {
  if (matches(token.text, "OK|NS|CNS|GNS|TNS|DR|U"))
    throw InputError(
        token.where,
        fmt::format("\"{}\" is of `nvidia-smi topo -p2p`, which tells whether GPUs may "
                    "read each other, not how they connect",
                    token.text),
        whole_hint);
  throw InputError(token.where,
                   fmt::format("\"{}\" is not a connection: {} has {} of them for {} columns",
                               token.text, row, found, columns),
                   "a connection is NV and a number, PIX, PXB, PHB, NODE or SYS");
}

/// Reads the first cells of a row, which are the devices. The affinities after them may be blank.
void read_row(const std::vector<Token>& tokens, const std::vector<std::string>& columns,
              SmiMatrix& matrix) {
  const std::string& row = tokens[0].text;
  for (const Token& token : tokens)
    if (is_run_together(token.text))
      throw InputError(token.where, fmt::format("\"{}\" is two cells run together", token.text),
                       whole_hint);
  if (matrix.cells.count(row) > 0)
    throw InputError(tokens[0].where, fmt::format("{} has two rows", row), whole_hint);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i + 1 >= tokens.size())
      throw InputError(tokens.back().where,
                       fmt::format("{} has {} cells for {} columns", row, i, columns.size()),
                       whole_hint);
    const Token& token = tokens[i + 1];
    if (!is_connection(token.text))
      refuse_cell(token, row, i, columns.size());
    if ((token.text == "X") != (columns[i] == row))
      throw InputError(token.where,
                       fmt::format("\"{}\" from {} to {}: X stands where row and column are the "
                                   "same device",
                                   token.text, row, columns[i]),
                       whole_hint);
    matrix.cells[row][columns[i]] = {token.text, token.where};
  }
  if (tokens.size() > columns.size() + 1 && is_connection(tokens[columns.size() + 1].text))
    throw InputError(tokens[columns.size() + 1].where,
                     fmt::format("{} has more cells than the {} columns", row, columns.size()),
                     whole_hint);
}

void check_rows(const SmiMatrix& matrix, const std::vector<Token>& header) {
  const bool nic_rows = matrix.cells.size() > matrix.gpus.size();
  const std::size_t columns = matrix.gpus.size() + matrix.nics.size();
  for (std::size_t i = 0; i < columns; ++i)
    if (const std::string& name = header[i].text;
        matrix.cells.count(name) == 0 && (is_gpu(name) || nic_rows))
      throw InputError(header[i].where, fmt::format("{} has a column but no row", name),
                       whole_hint);
}

void check_symmetric(const SmiMatrix& matrix) {
  for (const auto& [row, cells] : matrix.cells)
    for (const auto& [column, cell] : cells) {
      const auto back = matrix.cells.find(column);
      if (back == matrix.cells.end())
        continue;
      const SmiCell& other = back->second.at(row);
      if (other.text != cell.text && other.where.line < cell.where.line)
        throw InputError(cell.where,
                         fmt::format("{} from {} to {}, but {} from {} to {} in line {}", cell.text,
                                     row, column, other.text, column, row, other.where.line),
                         whole_hint);
    }
}

/// Reads a line of the legend, `NIC0: mlx5_0`; other lines around the matrix are ignored.
void read_legend(const std::vector<Token>& tokens, SmiMatrix& matrix) {
  if (tokens.size() == 2 && matches(tokens[0].text, "NIC[0-9]+:"))
    matrix.nic_legend[trimmed(tokens[0].text, ":")] = tokens[1].text;
}

} // namespace

int SmiCell::nvlinks() const {
  return text.rfind("NV", 0) == 0 ? std::stoi(text.substr(2)) : 0;
}

SmiMatrix read_smi_matrix(const std::filesystem::path& file) {
  const std::vector<Line> lines = read_lines(file);
  SmiMatrix matrix;
  std::vector<Token> header;
  std::vector<std::string> columns;
  for (const Line& line : lines) {
    const std::vector<Token> names = header_of(line);
    const Token& first = line.tokens[0];
    if (!names.empty() && !header.empty())
      throw InputError(first.where, "a second matrix", "give the matrix of one node");
    if (header.empty()) {
      header = names;
      columns = read_columns(header, matrix);
    } else if (std::count(columns.begin(), columns.end(), first.text) > 0) {
      read_row(line.tokens, columns, matrix);
    } else if (matches(first.text, "(GPU|NIC)[0-9]+")) {
      throw InputError(first.where, fmt::format("{} has a row but no column", first.text),
                       whole_hint);
    } else {
      read_legend(line.tokens, matrix);
    }
  }
  if (header.empty())
    throw InputError({file.string()},
                     "holds no matrix: no line begins with the columns GPU0, GPU1, …", whole_hint);
  check_rows(matrix, header);
  check_symmetric(matrix);
  return matrix;
}

} // namespace moesim
