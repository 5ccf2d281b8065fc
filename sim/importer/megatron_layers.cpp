#include "sim/importer/megatron_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace moesim {

namespace {

/// Most letters of a layout or entries of a list; real ones have about a hundred.
constexpr std::size_t length_max = 100'000;
constexpr int layout_depth_max = 20;

/// Reads a text with repeated pieces and brackets.
class RepeatReader {
public:
  /// Leaves out blanks, and quotes that were meant for a second shell.
  explicit RepeatReader(const std::string& text) {
    for (const char value : text)
      if (value != ' ' && value != '\'' && value != '"')
        text_ += value;
  }

  /// `Et*3|(tt|)*29m|L` with its repetitions written out.
  std::string read_layout() {
    std::string letters = read_letters();
    if (position_ < text_.size())
      refuse();
    return letters;
  }

  /// `([0]*3+[1]*58)` as its entries.
  std::string read_list() {
    std::string entries = read_sum();
    if (position_ < text_.size())
      refuse();
    return entries;
  }

private:
  char next() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool take(char value) {
    if (next() != value)
      return false;
    ++position_;
    return true;
  }

  [[noreturn]] void refuse() const {
    if (position_ >= text_.size())
      throw std::invalid_argument("it ends too early");
    throw std::invalid_argument(
        fmt::format("\"{}\" is not expected at its character {}", text_[position_], position_ + 1));
  }

  std::string read_letters() {
    if (++depth_ > layout_depth_max)
      throw std::invalid_argument("its brackets are nested too deep");
    std::string letters;
    while (next() != '\0' && next() != ')') {
      std::string piece;
      if (take('(')) {
        piece = read_letters();
        if (!take(')'))
          refuse();
      } else if (take(',')) { // a separator without effect
        continue;
      } else if (std::string("EtmL|").find(next()) != std::string::npos) {
        piece = text_[position_++];
      } else {
        refuse();
      }
      letters += take('*') ? repeat(piece) : piece;
      check_length(letters.size());
    }
    --depth_;
    return letters;
  }

  std::string read_sum() {
    if (++depth_ > layout_depth_max)
      throw std::invalid_argument("its brackets are nested too deep");
    std::string entries;
    do {
      std::string piece;
      if (take('(')) {
        piece = read_sum();
        if (!take(')'))
          refuse();
      } else {
        piece = read_entries();
      }
      while (take('*'))
        piece = repeat(piece);
      entries += piece;
      check_length(entries.size());
    } while (take('+'));
    --depth_;
    return entries;
  }

  std::string read_entries() {
    std::string entries;
    if (!take('['))
      refuse();
    while (next() == '0' || next() == '1') {
      entries += text_[position_++];
      take(',');
    }
    if (!take(']'))
      refuse();
    return entries;
  }

  std::string repeat(const std::string& piece) {
    std::size_t count = 0;
    if (next() < '0' || next() > '9')
      refuse();
    while (next() >= '0' && next() <= '9') {
      count = count * 10 + static_cast<std::size_t>(text_[position_++] - '0');
      check_length(count);
    }
    check_length(count * piece.size());
    std::string repeated;
    for (std::size_t i = 0; i < count; ++i)
      repeated += piece;
    return repeated;
  }

  static void check_length(std::size_t length) {
    if (length > length_max)
      throw std::invalid_argument(fmt::format("it has more than {} layers", length_max));
  }

  std::string text_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

/// The layers of a list of 0 and 1, or those for which `rule` holds with the number of a text.
std::vector<bool> parse_layers(const std::string& frequency, std::int64_t layers,
                               bool (*rule)(std::int64_t, std::int64_t)) {
  std::vector<bool> chosen;
  if (frequency.find('[') != std::string::npos) {
    for (const char entry : RepeatReader(frequency).read_list())
      chosen.push_back(entry == '1');
    if (static_cast<std::int64_t>(chosen.size()) != layers)
      throw std::invalid_argument(
          fmt::format("it has {} entries for {} layers", chosen.size(), layers));
    return chosen;
  }
  if (frequency.empty() || frequency.size() > 6 ||
      frequency.find_first_not_of("0123456789") != std::string::npos || std::stoll(frequency) == 0)
    throw std::invalid_argument("it must be a whole number or a list as ([0]*3+[1]*58)");
  for (std::int64_t layer = 0; layer < layers; ++layer)
    chosen.push_back(rule(layer, std::stoll(frequency)));
  return chosen;
}

} // namespace

std::vector<LayoutStage> parse_pipeline_layout(const std::string& layout) {
  const std::string letters = RepeatReader(layout).read_layout();
  std::vector<LayoutStage> stages(1);
  for (const char letter : letters) {
    LayoutStage& stage = stages.back();
    if (letter == '|')
      stages.emplace_back();
    else if (letter == 't')
      ++stage.layers;
    else if (letter == 'm')
      ++stage.mtp_layers;
    else
      (letter == 'E' ? stage.embedding : stage.loss) = true;
  }
  if (!stages.front().embedding || std::count(letters.begin(), letters.end(), 'E') != 1)
    throw std::invalid_argument("the embedding E must stand once, in the first stage");
  if (!stages.back().loss || std::count(letters.begin(), letters.end(), 'L') != 1)
    throw std::invalid_argument("the loss L must stand once, in the last stage");
  return stages;
}

std::vector<bool> parse_moe_layers(const std::string& frequency, std::int64_t layers) {
  return parse_layers(frequency, layers,
                      [](std::int64_t layer, std::int64_t n) { return layer % n == 0; });
}

std::vector<bool> parse_layers_but_every(const std::string& frequency, std::int64_t layers) {
  return parse_layers(frequency, layers,
                      [](std::int64_t layer, std::int64_t n) { return (layer + 1) % n != 0; });
}

std::string allocate_hybrid_layers(std::int64_t layers, double attention, double feed_forward) {
  std::string letters(static_cast<std::size_t>(layers), 'M');
  const auto spread = [&](char letter, double per_letter) {
    double left = per_letter;
    for (char& one : letters)
      if (one == 'M' && left < 0.5) {
        one = letter;
        left += per_letter;
      } else if (one == 'M') {
        left -= 1.0;
      }
  };
  const auto count = static_cast<double>(layers);
  const double attentions = std::nearbyint(count * attention); // of halves the even, as Python
  const double feed_forwards = std::nearbyint(count * feed_forward);
  spread('*', (count - attentions) / (attentions + 1.0));
  if (feed_forwards > 0.0)
    spread('-', (count - attentions - feed_forwards) / feed_forwards);
  return letters;
}

} // namespace moesim
