#include "sim/importer/shell_run.hpp"
#include "sim/importer/shell_words.hpp"

#include <fmt/format.h>

#include <fnmatch.h>
#include <regex.h>

#include <map>

namespace moesim {

namespace {

/// Depth of nested brackets and negations, and most bytes that a regular expression is tried on.
constexpr int test_depth_max = 50;
constexpr std::size_t match_bytes_max = 2'000;

ShellTruth truth_of(bool value) {
  return value ? ShellTruth::yes : ShellTruth::no;
}

class TestReader {
public:
  explicit TestReader(const ShellTestInput& input) : words_(input.words), input_(input) {}

  ShellTest evaluate() {
    const ShellTruth truth = words_.empty() ? ShellTruth::no : read_or();
    if (position_ < words_.size())
      return {ShellTruth::unknown, {"this condition is more than is understood here", ""}};
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
                                                                 : left;
    }
    return left;
  }

  ShellTruth read_and() {
    ShellTruth left = read_one();
    while (take("&&") || take("-a")) {
      const ShellTruth right = read_one();
      left = left == ShellTruth::no || right == ShellTruth::no ? ShellTruth::no
             : left == ShellTruth::yes                         ? right
                                                               : left;
    }
    return left;
  }

  ShellTruth read_one() {
    if (++depth_ > test_depth_max)
      return unknown({"this condition is nested too deep", ""});
    ShellTruth truth = ShellTruth::no;
    if (is_comparison(word(1)) && position_ + 2 < words_.size()) {
      truth = compare(words_[position_], word(1), words_[position_ + 2]);
      position_ += 3;
    } else if (take("!")) {
      truth = read_one();
      truth = truth == ShellTruth::no    ? ShellTruth::yes
              : truth == ShellTruth::yes ? ShellTruth::no
                                         : truth;
    } else if (take("(")) {
      truth = read_or();
      if (!take(")"))
        position_ = 0; // the words left over make it unknown
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
      const auto a = shell_integer(left.text());
      const auto b = shell_integer(right.text());
      return a && b ? truth_of(apply_arithmetic(number->second, *a, *b) == 1)
                    : unknown({"this compares more than numbers", ""});
    }
    if (name == "<" || name == ">")
      return truth_of(name == "<" ? left.text() < right.text() : left.text() > right.text());
    if (name == "=~")
      return match(left.text(), right.text());
    const bool alike = fnmatch(right.text().c_str(), left.text().c_str(), 0) == 0;
    return truth_of(alike == (name != "!="));
  }

  ShellTruth match(const std::string& text, const std::string& pattern) {
    regex_t compiled;
    if (text.size() + pattern.size() > match_bytes_max ||
        regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      return unknown({"this condition is more than is understood here", ""});
    const bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    regfree(&compiled);
    return truth_of(found);
  }

  ShellTruth ask(char question, const LocatedText& about) {
    if (question == 'v')
      return input_.variables.find(about.text(), about.offset())
                 ? ShellTruth::yes
                 : unknown({fmt::format("{} is not set in this file", about.text()), about.text()});
    if (question != 'z' && question != 'n')
      return unknown({fmt::format("whether {} is there is not known here", about.text()), ""});
    if (about.gap() && !about.gap()->unset)
      return unknown(*about.gap());
    if (about.gap()) {
      input_.unset.push_back(about);
      return truth_of(question == 'z');
    }
    return truth_of(about.empty() == (question == 'z'));
  }

  const ShellValues& words_;
  const ShellTestInput& input_;
  std::size_t position_ = 0;
  int depth_ = 0;
  TextGap reason_;
};

} // namespace

ShellTest evaluate_test(const ShellTestInput& input) {
  return TestReader(input).evaluate();
}

} // namespace moesim
