#include "sim/routing/token_trace.hpp"

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/input/file_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

namespace {

namespace fs = std::filesystem;

using Rows = std::vector<std::vector<double>>;

/// A piece of a text, with its offset.
struct Piece {
  std::size_t offset;
  std::string_view text;
};

/// A file with the positions of its bytes.
struct TokenFile {
  std::string name;
  std::string text;

  [[noreturn]] void fail(std::size_t offset, const std::string& message,
                         const std::string& hint = "") const {
    throw InputError(locate_offset(name, text, offset), message, hint);
  }
  /// The pieces of [begin, end) between single separators.
  std::vector<Piece> split(std::size_t begin, std::size_t end, char separator) const {
    std::vector<Piece> pieces;
    while (true) {
      const std::size_t next = std::min(text.find(separator, begin), end);
      pieces.push_back({begin, std::string_view(text).substr(begin, next - begin)});
      if (next == end)
        return pieces;
      begin = next + 1;
    }
  }
};

/// Reads the full text as a number; false if it is no number.
template <typename Number> bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

std::vector<std::size_t> read_experts(const TokenFile& file, const std::vector<Piece>& pieces,
                                      const ExpertSpec& experts) {
  std::vector<std::size_t> chosen;
  for (const Piece& piece : pieces) {
    std::int64_t expert = 0;
    if (!parse_number(piece.text, expert))
      file.fail(piece.offset, fmt::format("\"{}\" is no number of an expert", piece.text));
    if (expert < 0 || expert >= experts.experts)
      file.fail(piece.offset, fmt::format("the model has no expert {}", expert),
                fmt::format("its experts are 0 to {}", experts.experts - 1));
    chosen.push_back(static_cast<std::size_t>(expert));
  }
  return chosen;
}

/// Throws InputError unless each token has the model's number of experts, none twice.
void check_tokens(const TokenFile& file, const std::vector<Piece>& pieces,
                  const std::vector<std::size_t>& chosen, const ExpertSpec& experts) {
  const auto per_token = static_cast<std::size_t>(experts.experts_per_token);
  INVARIANT(per_token > 0, "experts_per_token {}", per_token);
  if (chosen.size() % per_token != 0)
    file.fail(pieces.back().offset,
              fmt::format("{} experts are not a whole number of tokens", chosen.size()),
              fmt::format("a token of the model takes {}", per_token));
  for (std::size_t at = 0; at < chosen.size(); ++at) {
    const auto token = chosen.begin() + static_cast<std::ptrdiff_t>(at - at % per_token);
    const auto self = chosen.begin() + static_cast<std::ptrdiff_t>(at);
    if (std::find(token, self, *self) != self)
      file.fail(pieces[at].offset, fmt::format("this token names expert {} twice", chosen[at]));
  }
}

void check_weights(const TokenFile& file, const std::vector<Piece>& pieces, std::size_t expected) {
  for (const Piece& piece : pieces) {
    double weight = 0.0;
    if (!parse_number(piece.text, weight) || !std::isfinite(weight) || weight < 0.0)
      file.fail(piece.offset, fmt::format("\"{}\" is no weight", piece.text));
  }
  if (pieces.size() != expected)
    file.fail(pieces.front().offset,
              fmt::format("{} weights for {} experts", pieces.size(), expected));
}

/// Tokens of each expert in the sequence of one line, [begin, end) of the text.
std::vector<double> read_sequence(const TokenFile& file, std::size_t begin, std::size_t end,
                                  const ExpertSpec& experts) {
  const std::size_t gap = file.text.find("\t\t", begin);
  if (gap == std::string::npos || gap >= end)
    file.fail(begin, "no two tabs part the experts of the tokens from their weights");
  const std::vector<Piece> pieces = file.split(begin, gap, '\t');
  const std::vector<std::size_t> chosen = read_experts(file, pieces, experts);
  check_tokens(file, pieces, chosen, experts);
  check_weights(file, file.split(gap + 2, end, '\t'), chosen.size());
  std::vector<double> counts(static_cast<std::size_t>(experts.experts));
  for (const std::size_t expert : chosen)
    counts[expert] += 1.0;
  return counts;
}

Rows read_sequences(const fs::path& path, const ExpertSpec& experts) {
  const TokenFile file{path.string(), read_file(path)};
  if (file.text.empty())
    throw InputError({file.name}, "has no sequences");
  const std::size_t end = file.text.size() - (file.text.ends_with('\n') ? 1 : 0);
  Rows rows;
  for (const Piece& line : file.split(0, end, '\n'))
    rows.push_back(read_sequence(file, line.offset, line.offset + line.text.size(), experts));
  return rows;
}

/// Throws InputError unless `rows` has the sequences of `first`, the rows of the first layer.
void check_same_sequences(const Rows& first, const fs::path& first_file, const Rows& rows,
                          const fs::path& file) {
  const std::string first_name = first_file.filename().string();
  const auto tokens = [](const std::vector<double>& row) {
    return std::accumulate(row.begin(), row.end(), 0.0);
  };
  for (std::size_t row = 0; row < std::min(first.size(), rows.size()); ++row)
    if (tokens(rows[row]) != tokens(first[row]))
      throw InputError({file.string(), static_cast<int>(row) + 1},
                       fmt::format("{} experts are chosen here, {} in the same line of {}",
                                   tokens(rows[row]), tokens(first[row]), first_name),
                       "every layer must have recorded the same sequences");
  if (rows.size() != first.size())
    throw InputError(
        {file.string(), static_cast<int>(std::min(rows.size(), first.size())) + 1},
        fmt::format("has {} sequences, {} has {}", rows.size(), first_name, first.size()),
        "every layer must have recorded the same sequences");
}

} // namespace

LoadTrace read_token_trace(const std::map<std::int64_t, fs::path>& files, const ModelSpec& model) {
  LoadTrace trace;
  trace.rows = LoadTrace::Rows::sequences;
  for (const auto& [layer, file] : files) {
    if (layer >= static_cast<std::int64_t>(model.layers.size()) ||
        !model.layers[static_cast<std::size_t>(layer)].moe)
      continue;
    Rows rows = read_sequences(file, model.experts);
    if (!trace.layers.empty()) {
      const auto& [first_layer, first] = *trace.layers.begin();
      check_same_sequences(first, files.at(first_layer), rows, file);
    }
    trace.layers[layer] = std::move(rows);
  }
  return trace;
}

} // namespace moesim
