#include "sim/importer/shell_words.hpp"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

namespace moesim {

namespace {

using Integer = std::optional<std::int64_t>;

bool is_identifier(const std::string& text) {
  for (const char value : text)
    if (!std::isalnum(static_cast<unsigned char>(value)) && value != '_')
      return false;
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0]));
}

/// The operator of a node, as the script writes it.
std::string operator_of(const ShellNode& node) {
  const std::size_t begin = node.offset("OpPos");
  const std::string text = node.source(begin, begin + 2);
  static const std::set<std::string> twos = {"||", "&&", "==", "!=", "<=", ">=", "+=", "-=",
                                             "*=", "/=", "%=", "++", "--", "**", "<<", ">>"};
  return twos.contains(text) ? text : text.substr(0, 1);
}

} // namespace

std::optional<std::int64_t> shell_integer(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n+");
  const std::size_t end = text.find_last_not_of(" \t\n") + 1;
  if (begin == std::string::npos)
    return std::nullopt;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, value);
  return error == std::errc() && stop == text.data() + end ? Integer(value) : std::nullopt;
}

std::optional<std::int64_t> apply_arithmetic(const std::string& sign, std::int64_t a,
                                             std::int64_t b) {
  std::int64_t result = 0;
  const bool division = sign == "/" || sign == "%";
  const bool overflows = sign == "+"   ? __builtin_add_overflow(a, b, &result)
                         : sign == "-" ? __builtin_sub_overflow(a, b, &result)
                         : sign == "*" ? __builtin_mul_overflow(a, b, &result)
                                       : division && b == 0;
  if (overflows)
    return std::nullopt;
  if (division && b == -1) // the negation of the smallest number overflows
    return sign == "%" ? Integer(0) : apply_arithmetic("-", 0, a);
  if (division)
    return sign == "/" ? a / b : a % b;
  static const std::map<std::string, bool (*)(std::int64_t, std::int64_t)> comparisons = {
      {"<", [](std::int64_t x, std::int64_t y) { return x < y; }},
      {">", [](std::int64_t x, std::int64_t y) { return x > y; }},
      {"<=", [](std::int64_t x, std::int64_t y) { return x <= y; }},
      {">=", [](std::int64_t x, std::int64_t y) { return x >= y; }},
      {"==", [](std::int64_t x, std::int64_t y) { return x == y; }},
      {"!=", [](std::int64_t x, std::int64_t y) { return x != y; }},
      {"&&", [](std::int64_t x, std::int64_t y) { return x != 0 && y != 0; }},
      {"||", [](std::int64_t x, std::int64_t y) { return x != 0 || y != 0; }}};
  if (const auto comparison = comparisons.find(sign); comparison != comparisons.end())
    return comparison->second(a, b);
  return sign == "+" || sign == "-" || sign == "*" ? Integer(result) : std::nullopt;
}

ShellNumber ShellWords::evaluate(const ShellNode& expression) {
  const std::string type = expression.type();
  if (type == "BinaryArithm")
    return evaluate_binary(expression);
  if (type == "UnaryArithm")
    return evaluate_unary(expression);
  return type == "ParenArithm" ? evaluate(expression.child("X")) : evaluate_word(expression);
}

ShellNumber ShellWords::evaluate_word(const ShellNode& word) {
  const LocatedText text = expand_whole(word);
  if (text.gap())
    return {std::nullopt, text.gap()};
  if (!is_identifier(text.text()))
    return {text.empty() ? Integer(0) : shell_integer(text.text()), nullptr};
  const auto values = variables_.find(text.text(), word.begin());
  if (values && !values->empty())
    return {values->front().empty() ? Integer(0) : shell_integer(values->front().text()),
            values->front().gap()};
  missing_.push_back(text.text());
  if (values || variables_.is_declared(text.text()))
    return {0, nullptr};
  return {std::nullopt,
          std::make_shared<const TextGap>(TextGap{
              fmt::format("{} is not set in this file", text.text()), text.text(), false, true})};
}

ShellNumber ShellWords::set_number(const ShellNode& name, ShellNumber number) {
  const std::string text = expand_whole(name).text();
  if (is_identifier(text))
    variables_.assign(
        text, {LocatedText::at(name.begin(), number.value ? std::to_string(*number.value) : "?",
                               number.value ? nullptr : number.gap)});
  return number;
}

ShellNumber ShellWords::evaluate_unary(const ShellNode& expression) {
  const std::string sign = operator_of(expression);
  const ShellNumber operand = evaluate(expression.child("X"));
  if (!operand.value)
    return operand;
  if (sign == "++" || sign == "--") {
    const Integer next = apply_arithmetic(sign.substr(0, 1), *operand.value, 1);
    set_number(expression.child("X"), {next, nullptr});
    return expression.flag("Post") ? operand : ShellNumber{next, nullptr};
  }
  if (sign == "!")
    return {*operand.value == 0, nullptr};
  return {sign == "-"   ? apply_arithmetic("-", 0, *operand.value)
          : sign == "+" ? operand.value
                        : std::nullopt,
          nullptr};
}

ShellNumber ShellWords::evaluate_binary(const ShellNode& expression) {
  const std::string sign = operator_of(expression);
  const ShellNode left = expression.child("X");
  const ShellNode right = expression.child("Y");
  if (sign == "=")
    return set_number(left, evaluate(right));
  const ShellNumber first = evaluate(left);
  if (sign == "?") { // a ? b : c holds b and c in a node of its own
    if (!first.value)
      return first;
    return evaluate(right.child(*first.value != 0 ? "X" : "Y"));
  }
  const ShellNumber second = evaluate(right);
  if (!first.value || !second.value)
    return {std::nullopt, first.value ? second.gap : first.gap};
  const bool assigns =
      sign.size() == 2 && sign[1] == '=' && std::string("+-*/%").find(sign[0]) != std::string::npos;
  const Integer value =
      apply_arithmetic(assigns ? sign.substr(0, 1) : sign, *first.value, *second.value);
  return assigns ? set_number(left, {value, nullptr}) : ShellNumber{value, nullptr};
}

} // namespace moesim
