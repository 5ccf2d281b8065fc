#include "sim/importer/megatron_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace moesim {

namespace {

using Words = std::vector<LocatedText>;

/// Whether a text is the name of an argument: `--name`, `-x`, but not a negative number.
bool is_name(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && !std::isdigit(static_cast<unsigned char>(text[1])) &&
         text[1] != '.';
}

class WordReader {
public:
  WordReader(const Words& words, const Locate& locate, MegatronArguments& arguments)
      : words_(words), locate_(locate), arguments_(arguments) {}

  void read() {
    skip_launcher();
    while (position_ < words_.size())
      read_argument();
  }

private:
  InputLocation where(const LocatedText& word) const { return locate_(word.offset()); }

  /// Skips the launcher and its arguments before the program; keeps the number of GPUs.
  void skip_launcher() {
    std::size_t begin = words_.size();
    for (std::size_t i = words_.size(); i-- > 0;)
      if (const std::string text = words_[i].text();
          text.size() < 4096 && text.ends_with(".py") && !is_name(text))
        begin = i;
    if (begin == words_.size()) {
      while (position_ < words_.size() && !is_name(words_[position_].text()))
        ++position_; // a program of another name
      return;
    }
    for (; position_ < begin; ++position_) {
      const std::string name =
          argument_name(words_[position_].text().substr(0, words_[position_].text().find('=')));
      if (is_name(words_[position_].text()) && (name == "nnodes" || name == "nproc-per-node")) {
        read_argument();
        --position_;
      }
    }
    position_ = begin + 1;
  }

  void read_argument() {
    const LocatedText& word = words_[position_];
    const std::string text = word.text();
    ++position_;
    if (!is_name(text))
      return refuse_stray(word);
    const std::size_t equals = std::min(text.find('='), text.size());
    MegatronArgument argument{argument_name(text.substr(0, equals)), where(word), {}};
    const ArgumentRule* rule = find_argument_rule(argument.name);
    const bool matters = !rule || rule->use != ArgumentUse::without_effect;
    const LocatedText::Gap gap = word.slice(0, equals).gap();
    if (gap && (matters || gap->may_hide_more))
      arguments_.add_gap(argument.where, *gap);
    if (rule && rule->shape == ArgumentShape::flag && equals == text.size() && takes_no())
      return;
    if (equals < text.size())
      add_value(argument, word.slice(equals + 1, text.size()));
    else
      take_values(argument, rule ? rule->shape : ArgumentShape::list);
    if (!rule)
      arguments_.add_unknown(argument);
    else if (rule->shape == ArgumentShape::value && argument.values.empty())
      throw InputError(argument.where, fmt::format("--{} has no value", argument.name));
    else
      arguments_.add(std::move(argument));
  }

  /// Skips the value of a flag written as `--bf16 true`. Returns true for `false`: the flag is then
  /// not set.
  bool takes_no() {
    const std::string next = position_ < words_.size() ? words_[position_].text() : "";
    const bool no = next == "false" || next == "False";
    if (no || next == "true" || next == "True")
      ++position_;
    return no;
  }

  void add_value(MegatronArgument& argument, const LocatedText& word) {
    argument.values.push_back({word.text(), where(word), word.gap()});
  }

  void take_values(MegatronArgument& argument, ArgumentShape shape) {
    const std::size_t most = shape == ArgumentShape::flag    ? 0
                             : shape == ArgumentShape::value ? 1
                                                             : words_.size();
    // The first value may be unknown. An unknown word after it may also be an argument.
    while (position_ < words_.size() && argument.values.size() < most &&
           !is_name(words_[position_].text()) &&
           (argument.values.empty() || !is_variable(words_[position_])))
      add_value(argument, words_[position_++]);
  }

  /// Whether a word is one unknown variable, as $EXTRA.
  static bool is_variable(const LocatedText& word) {
    return word.gap() != nullptr && (word[0] == '$' || word[0] == '`');
  }

  void refuse_stray(const LocatedText& word) const {
    const LocatedText::Gap gap = word.gap();
    if (!gap)
      throw InputError(where(word),
                       fmt::format("\"{}\" is no argument and no value of one", word.text()));
    TextGap reason = *gap;
    reason.message += ", and may hold arguments";
    arguments_.add_gap(where(word), reason);
  }

  const Words& words_;
  const Locate& locate_;
  MegatronArguments& arguments_;
  std::size_t position_ = 0;
};

} // namespace

void read_argument_words(const Words& words, const Locate& locate, MegatronArguments& arguments) {
  WordReader(words, locate, arguments).read();
}

void read_argument_text(const std::string& name, const std::string& text,
                        const ShellDefinitions& definitions, MegatronArguments& arguments) {
  const LocatedText all =
      LocatedText::file(text + "\n").with_variables([&](const std::string& variable) {
        const auto found = definitions.variables.find(variable);
        return found == definitions.variables.end() ? std::nullopt : std::optional(found->second);
      });
  Words words;
  LocatedText word;
  char quote = '\0';
  std::size_t begin = 0; // of the quote
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool bare = quote == '\0';
    if (bare && all[i] == '#' && word.empty()) {
      while (all[i + 1] != '\n' && all[i + 1] != '\0')
        ++i;
    } else if (bare && all[i] == '\\' && is_one_of(all[i + 1], "\r\n")) {
      continue;
    } else if (bare && is_one_of(all[i], " \t\r\n")) {
      if (!word.empty())
        words.push_back(std::exchange(word, {}));
    } else if (all[i] == quote || (bare && is_one_of(all[i], "'\""))) {
      quote = bare ? all[i] : '\0';
      begin = i;
    } else {
      word.append(all, i);
    }
  }
  if (quote != '\0')
    throw InputError(locate_offset(name, text, all.offset(begin)), "this quote has no end");
  read_argument_words(
      words, [&](std::size_t offset) { return locate_offset(name, text, offset); }, arguments);
}

} // namespace moesim
