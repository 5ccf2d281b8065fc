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

const std::map<std::string, std::string> number_comparisons = {
    {"-eq", "=="}, {"-ne", "!="}, {"-lt", "<"}, {"-gt", ">"}, {"-le", "<="}, {"-ge", ">="}};

ShellTruth truth_of(bool value) {
  return value ? ShellTruth::yes : ShellTruth::no;
}

bool is_comparison(const std::string& text) {
  return text == "=" || text == "==" || text == "!=" || text == "=~" || text == "<" ||
         text == ">" || number_comparisons.contains(text);
}

/// Reads the words of a test: `||` binds weaker than `&&`, and both weaker than `!`.
class TestReader {
public:
  explicit TestReader(const ShellTestInput& input) : words_(input.words), input_(input) {}

  ShellTest evaluate() {
    const ShellTruth truth = words_.empty() ? ShellTruth::no : read_joined(ShellTruth::yes);
    if (position_ < words_.size())
      return {ShellTruth::unknown, {"this condition is more than is understood here", ""}};
    return {truth, reason_};
  }

private:
  std::string word(std::size_t ahead = 0) const {
    return position_ + ahead < words_.size() ? words_[position_ + ahead].text() : "";
  }
  bool take(const char* text, const char* other) {
    const bool found = position_ < words_.size() && (word() == text || word() == other);
    position_ += found ? 1 : 0;
    return found;
  }
  ShellTruth unknown(const TextGap& reason) {
    reason_ = reason_.message.empty() ? reason : reason_;
    return ShellTruth::unknown;
  }

  /// Reads tests joined by `||`, which one true test decides, or by `&&`, which one false does.
  ShellTruth read_joined(ShellTruth decisive) {
    const bool weak = decisive == ShellTruth::yes;
    ShellTruth left = weak ? read_joined(ShellTruth::no) : read_one();
    while (weak ? take("||", "-o") : take("&&", "-a")) {
      const ShellTruth right = weak ? read_joined(ShellTruth::no) : read_one();
      left = left == decisive || right == decisive ? decisive
             : left == ShellTruth::unknown         ? left
                                                   : right;
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
    } else if (take("!", "!")) {
      truth = negated(read_one());
    } else if (take("(", "(")) {
      truth = read_joined(ShellTruth::yes);
      if (!take(")", ")"))
        position_ = 0; // the words left over make it unknown
    } else if (word().size() == 2 && word()[0] == '-' && position_ + 1 < words_.size()) {
      truth = ask(word()[1], words_[position_ + 1]);
      position_ += 2;
    } else if (position_ < words_.size()) {
      const LocatedText& only = words_[position_++];
      truth = only.gap() ? unknown(*only.gap()) : truth_of(!only.empty());
    }
    --depth_;
    return truth;
  }

  ShellTruth compare(const LocatedText& left, const std::string& name, const LocatedText& right) {
    if (left.gap() || right.gap())
      return unknown(*(left.gap() ? left.gap() : right.gap()));
    const std::string a = left.text();
    const std::string b = right.text();
    if (const auto number = number_comparisons.find(name); number != number_comparisons.end()) {
      const auto first = shell_integer(a);
      const auto second = shell_integer(b);
      return first && second ? truth_of(apply_arithmetic(number->second, *first, *second) == 1)
                             : unknown({"this compares more than numbers", ""});
    }
    if (name == "<" || name == ">")
      return truth_of(name == "<" ? a < b : a > b);
    if (name != "=~")
      return truth_of((fnmatch(b.c_str(), a.c_str(), 0) == 0) == (name != "!="));
    regex_t pattern;
    if (a.size() + b.size() > match_bytes_max ||
        regcomp(&pattern, b.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      return unknown({"this condition is more than is understood here", ""});
    const bool found = regexec(&pattern, a.c_str(), 0, nullptr, 0) == 0;
    regfree(&pattern);
    return truth_of(found);
  }

  ShellTruth ask(char question, const LocatedText& about) {
    const std::string name = about.text();
    if (question == 'v')
      return input_.variables.find(name, about.offset())
                 ? ShellTruth::yes
                 : unknown({fmt::format("{} is not set in this file", name), name});
    if (question != 'z' && question != 'n')
      return unknown({fmt::format("whether {} is there is not known here", name), ""});
    if (about.gap() && !about.gap()->unset)
      return unknown(*about.gap());
    if (about.gap())
      input_.unset.push_back(about);
    return truth_of((about.gap() || about.empty()) == (question == 'z'));
  }

  const ShellValues& words_;
  const ShellTestInput& input_;
  std::size_t position_ = 0;
  int depth_ = 0;
  TextGap reason_;
};

} // namespace

ShellTruth negated(ShellTruth truth) {
  return truth == ShellTruth::no    ? ShellTruth::yes
         : truth == ShellTruth::yes ? ShellTruth::no
                                    : truth;
}

ShellTest evaluate_test(const ShellTestInput& input) {
  return TestReader(input).evaluate();
}

} // namespace moesim
