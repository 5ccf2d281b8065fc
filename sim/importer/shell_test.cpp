#include "sim/importer/shell_run.hpp"

#include <fmt/format.h>

#include <fnmatch.h>

#include <map>

namespace moesim {

namespace {

/// Depth of nested brackets and negations.
constexpr int test_depth_max = 50;

ShellTruth truth_of(bool value) {
  return value ? ShellTruth::yes : ShellTruth::no;
}

class TestReader {
public:
  TestReader(const std::vector<LocatedText>& words, const ShellVariables& variables,
             std::vector<LocatedText>& unset)
      : words_(words), variables_(variables), unset_(unset) {}

  ShellTest evaluate() {
    const ShellTruth truth = words_.empty() ? ShellTruth::no : read_or();
    if (position_ < words_.size())
      return {ShellTruth::unknown, doubt("this condition is more than is understood here")};
    return {truth, reason_};
  }

private:
  bool at_end() const { return position_ >= words_.size(); }
  std::string word(std::size_t ahead = 0) const {
    return position_ + ahead < words_.size() ? words_[position_ + ahead].text() : "";
  }
  bool take(const std::string& text) {
    if (at_end() || word() != text)
      return false;
    ++position_;
    return true;
  }

  static TextGap doubt(const std::string& message) {
    return {message, "decide it in a copy of the file"};
  }
  ShellTruth unknown(const TextGap& reason) {
    if (reason_.message.empty())
      reason_ = reason;
    return ShellTruth::unknown;
  }

  ShellTruth read_or() {
    ShellTruth left = read_and();
    while (take("||") || take("-o")) {
      const ShellTruth right = read_and();
      left = left == ShellTruth::yes || right == ShellTruth::yes ? ShellTruth::yes
             : left == ShellTruth::no                            ? right
             : right == ShellTruth::no                           ? left
                                                                 : ShellTruth::unknown;
    }
    return left;
  }

  ShellTruth read_and() {
    ShellTruth left = read_single();
    while (take("&&") || take("-a")) {
      const ShellTruth right = read_single();
      left = left == ShellTruth::no || right == ShellTruth::no ? ShellTruth::no
             : left == ShellTruth::yes                         ? right
             : right == ShellTruth::yes                        ? left
                                                               : ShellTruth::unknown;
    }
    return left;
  }

  ShellTruth read_single() {
    if (++depth_ > test_depth_max)
      return unknown(doubt("this condition is nested too deep"));
    ShellTruth truth = ShellTruth::unknown;
    if (word() == "!" && position_ + 1 < words_.size()) {
      ++position_;
      truth = read_single();
      truth = truth == ShellTruth::unknown ? truth : truth_of(truth == ShellTruth::no);
    } else if (word() == "(" && !is_comparison(word(1))) {
      ++position_;
      truth = read_or();
      take(")");
    } else if (is_comparison(word(1)) && position_ + 2 < words_.size()) {
      truth = compare(words_[position_], word(1), words_[position_ + 2]);
      position_ += 3;
    } else if (word().size() == 2 && word()[0] == '-' && position_ + 1 < words_.size()) {
      truth = ask(word()[1], words_[position_ + 1]);
      position_ += 2;
    } else if (!at_end()) {
      const LocatedText& only = words_[position_++];
      truth = only.gap() ? unknown(*only.gap()) : truth_of(!only.empty());
    }
    --depth_;
    return truth;
  }

  static bool is_comparison(const std::string& text) {
    return text == "=" || text == "==" || text == "!=" || text == "=~" || text == "<" ||
           text == ">" || number_comparisons().contains(text);
  }

  static const std::map<std::string, std::string>& number_comparisons() {
    static const std::map<std::string, std::string> known = {
        {"-eq", "=="}, {"-ne", "!="}, {"-lt", "<"}, {"-gt", ">"}, {"-le", "<="}, {"-ge", ">="}};
    return known;
  }

  ShellTruth compare(const LocatedText& left, const std::string& name, const LocatedText& right) {
    for (const LocatedText* side : {&left, &right})
      if (side->gap())
        return unknown(*side->gap());
    if (const auto number = number_comparisons().find(name); number != number_comparisons().end()) {
      const auto value = evaluate_arithmetic(
          fmt::format("({}) {} ({})", left.text(), number->second, right.text()),
          [](const std::string&) { return std::nullopt; });
      return value ? truth_of(*value != 0) : unknown(doubt("this compares more than numbers"));
    }
    if (name == "<" || name == ">" || name == "=~")
      return unknown(doubt("this condition is more than is understood here"));
    const bool alike = fnmatch(right.text().c_str(), left.text().c_str(), 0) == 0;
    return truth_of(alike == (name != "!="));
  }

  ShellTruth ask(char question, const LocatedText& about) {
    if (question == 'v')
      return variables_.has(about.text())
                 ? ShellTruth::yes
                 : unknown({fmt::format("{} is not set in this file", about.text()),
                            fmt::format("set it with --define {}=VALUE", about.text())});
    if (question != 'z' && question != 'n')
      return unknown(doubt(fmt::format("whether {} is there is not known here", about.text())));
    if (about.gap() && !about.gap()->unset)
      return unknown(*about.gap());
    if (about.gap()) {
      unset_.push_back(about);
      return truth_of(question == 'z');
    }
    return truth_of(about.empty() == (question == 'z'));
  }

  const std::vector<LocatedText>& words_;
  const ShellVariables& variables_;
  std::vector<LocatedText>& unset_;
  std::size_t position_ = 0;
  int depth_ = 0;
  TextGap reason_;
};

} // namespace

ShellTest evaluate_test(const std::vector<LocatedText>& words, const ShellVariables& variables,
                        std::vector<LocatedText>& unset) {
  return TestReader(words, variables, unset).evaluate();
}

} // namespace moesim
