#include "sim/importer/shell_variables.hpp"

#include <cctype>

namespace moesim {

namespace {

using Value = std::optional<std::int64_t>;
using Lookup = std::function<Value(const std::string&)>;

/// Depth of nested brackets; a launch script has one or two.
constexpr int expression_depth_max = 50;

class Arithmetic {
public:
  Arithmetic(const std::string& text, const Lookup& value_of) : text_(text), value_of_(value_of) {}

  Value evaluate() {
    const Value value = read_choice();
    skip_blanks();
    return position_ == text_.size() ? value : std::nullopt;
  }

private:
  struct Operator {
    const char* text;
    int level; ///< higher for tighter binding
  };

  static Value apply(const std::string& name, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (name == "+")
      return __builtin_add_overflow(a, b, &result) ? std::nullopt : Value(result);
    if (name == "-")
      return __builtin_sub_overflow(a, b, &result) ? std::nullopt : Value(result);
    if (name == "*")
      return __builtin_mul_overflow(a, b, &result) ? std::nullopt : Value(result);
    if (name == "/" || name == "%") {
      if (b == 0 || b == -1) // the negation of the smallest number overflows
        return b == 0 ? std::nullopt : name == "%" ? Value(0) : apply("-", 0, a);
      return name == "/" ? a / b : a % b;
    }
    return name == "<"    ? a < b
           : name == ">"  ? a > b
           : name == "<=" ? a <= b
           : name == ">=" ? a >= b
           : name == "==" ? a == b
           : name == "!=" ? a != b
           : name == "&&" ? (a != 0 && b != 0)
                          : (a != 0 || b != 0);
  }

  const Operator* find_operator() {
    static const Operator operators[] = {{"||", 1}, {"&&", 2}, {"==", 3}, {"!=", 3}, {"<=", 4},
                                         {">=", 4}, {"<", 4},  {">", 4},  {"+", 5},  {"-", 5},
                                         {"*", 6},  {"/", 6},  {"%", 6}};
    skip_blanks();
    for (const Operator& known : operators)
      if (text_.compare(position_, std::string(known.text).size(), known.text) == 0)
        return &known;
    return nullptr;
  }

  bool take(char value) {
    skip_blanks();
    if (position_ >= text_.size() || text_[position_] != value)
      return false;
    ++position_;
    return true;
  }

  /// Reads `a ? b : c`, or `a` alone.
  Value read_choice() {
    const Value condition = read_binary(0);
    if (!take('?'))
      return condition;
    const Value first = read_choice();
    if (!take(':'))
      return std::nullopt;
    const Value second = read_choice();
    return !condition ? condition : *condition != 0 ? first : second;
  }

  Value read_binary(int level) {
    Value left = read_operand();
    for (const Operator* found = find_operator(); left && found && found->level > level;
         found = find_operator()) {
      position_ += std::string(found->text).size();
      const Value right = read_binary(found->level);
      left = right ? apply(found->text, *left, *right) : std::nullopt;
    }
    return left;
  }

  Value read_operand() {
    skip_blanks();
    if (++depth_ > expression_depth_max)
      return std::nullopt;
    Value value;
    const char first = position_ < text_.size() ? text_[position_] : '\0';
    if (first == '(') {
      ++position_;
      value = read_choice();
      if (!take(')'))
        value = std::nullopt;
    } else if (first == '-' || first == '!') {
      ++position_;
      if (const Value operand = read_operand())
        value = first == '-' ? apply("-", 0, *operand) : Value(*operand == 0);
    } else {
      value = read_word();
    }
    --depth_;
    return value;
  }

  Value read_word() {
    const std::size_t begin = position_;
    while (position_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[position_])) || text_[position_] == '_'))
      ++position_;
    const std::string word = text_.substr(begin, position_ - begin);
    if (word.empty())
      return std::nullopt;
    if (!std::isdigit(static_cast<unsigned char>(word[0])))
      return value_of_(word);
    std::int64_t value = 0;
    for (const char digit : word)
      if (!std::isdigit(static_cast<unsigned char>(digit)) ||
          __builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, digit - '0', &value))
        return std::nullopt;
    return value;
  }

  void skip_blanks() {
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])))
      ++position_;
  }

  const std::string& text_;
  const Lookup& value_of_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

} // namespace

std::optional<std::int64_t> evaluate_arithmetic(const std::string& expression,
                                                const Lookup& value_of) {
  return Arithmetic(expression, value_of).evaluate();
}

} // namespace moesim
