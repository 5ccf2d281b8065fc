#include "sim/importer/shell_syntax.hpp"

#include "sim/importer/shell_lexer.hpp"

#include <algorithm>

namespace moesim {

namespace {

using Kind = ShellStatement::Kind;
using Joint = ShellStatement::Joint;
using EndWords = std::vector<std::string>;

/// Depth of nested statements; real scripts have about five.
constexpr int statement_depth_max = 50;

/// Parses statements by recursive descent.
///
/// More than 15 methods: one for each rule of the grammar.
class ShellParser {
public:
  ShellParser(const std::string& file, const std::string& text) : lexer_(file, text) {}

  /// Parses statements up to one of the words `ends`, which is not consumed.
  std::vector<ShellStatement> parse_list(const EndWords& ends) {
    std::vector<ShellStatement> statements;
    if (++depth_ > statement_depth_max)
      lexer_.fail(lexer_.position(), "statements are nested too deep here");
    for (;;) {
      const Joint joint = skip_separators();
      if (lexer_.at_end() || sees_one_of(ends))
        break;
      const std::size_t before = lexer_.position();
      ShellStatement statement = parse_statement();
      statement.joint = joint;
      statement.offset = before;
      if (lexer_.position() == before)
        lexer_.move_to(before + 1); // a stray bracket
      else
        statements.push_back(std::move(statement));
    }
    --depth_;
    return statements;
  }

private:
  Joint skip_separators() {
    Joint joint = Joint::always;
    for (;;) {
      lexer_.skip_blanks(true);
      if (sees_one_of({";;"}))
        return joint;
      if (lexer_.take("&&"))
        joint = Joint::on_success;
      else if (lexer_.take("||"))
        joint = Joint::on_failure;
      else if (!lexer_.take(";") && !lexer_.take("&") && !lexer_.take("|"))
        return joint;
    }
  }

  bool sees_one_of(const EndWords& words) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return word == ";;" || word == ")" ? lexer_.sees(word) : sees_word(word);
    });
  }

  bool sees_word(const std::string& word) {
    if (!lexer_.sees(word))
      return false;
    const std::size_t here = lexer_.position();
    lexer_.move_to(here + word.size());
    const bool ends = lexer_.at_word_end();
    lexer_.move_to(here);
    return ends;
  }

  bool take_word(const std::string& word) {
    lexer_.skip_blanks(true);
    return sees_word(word) && lexer_.take(word);
  }

  ShellStatement parse_statement() {
    bool negated = false;
    for (; take_word("!"); lexer_.skip_blanks(false))
      negated = !negated;
    ShellStatement statement = parse_positive();
    statement.negated = statement.negated != negated;
    return statement;
  }

  ShellStatement parse_positive() {
    if (take_word("if"))
      return parse_if();
    if (sees_word("while") || sees_word("until"))
      return parse_while();
    if (take_word("for") || take_word("select"))
      return parse_for();
    if (take_word("case"))
      return parse_case();
    if (take_word("{"))
      return parse_group("}");
    if (lexer_.take("(("))
      return {
          Kind::arithmetic, Joint::always, false, 0, {{lexer_.read_until("))"), false, {}}}, {}};
    if (lexer_.take("("))
      return parse_group(")");
    if (take_word("[["))
      return parse_test();
    return parse_command();
  }

  ShellStatement parse_if() {
    ShellStatement statement{Kind::condition, Joint::always, false, 0, {}, {}};
    do {
      ShellBranch branch;
      branch.condition = parse_list({"then", "fi"});
      take_word("then");
      branch.body = parse_list({"elif", "else", "fi"});
      statement.branches.push_back(std::move(branch));
    } while (take_word("elif"));
    if (take_word("else"))
      statement.branches.push_back({{}, {}, parse_list({"fi"})});
    take_word("fi");
    return statement;
  }

  ShellStatement parse_while() {
    ShellStatement statement{Kind::loop, Joint::always, take_word("until"), 0, {}, {}};
    take_word("while");
    ShellBranch branch;
    branch.condition = parse_list({"do"});
    take_word("do");
    branch.body = parse_list({"done"});
    take_word("done");
    statement.branches.push_back(std::move(branch));
    return statement;
  }

  ShellStatement parse_for() {
    ShellStatement statement{Kind::loop, Joint::always, false, 0, {}, {}};
    lexer_.skip_blanks(false);
    if (lexer_.take("(("))
      lexer_.read_until("))");
    else
      read_words(statement.words);
    skip_separators();
    take_word("do");
    statement.branches.push_back({{}, {}, parse_list({"done"})});
    take_word("done");
    return statement;
  }

  ShellStatement parse_case() {
    ShellStatement statement{Kind::choice, Joint::always, false, 0, {}, {}};
    lexer_.skip_blanks(false);
    statement.words.push_back(lexer_.read_word());
    take_word("in");
    for (lexer_.skip_blanks(true); !lexer_.at_end() && !sees_word("esac");
         lexer_.skip_blanks(true)) {
      ShellBranch branch;
      lexer_.take("(");
      do {
        lexer_.skip_blanks(false);
        branch.patterns.push_back(lexer_.read_word());
        lexer_.skip_blanks(false);
      } while (lexer_.take("|"));
      if (!lexer_.take(")"))
        lexer_.fail(lexer_.position(), "a \")\" is expected after the patterns of a case");
      branch.body = parse_list({";;", "esac"});
      while (lexer_.take(";") || lexer_.take("&")) { // ;; ;& ;;&
      }
      statement.branches.push_back(std::move(branch));
    }
    take_word("esac");
    return statement;
  }

  ShellStatement parse_group(const std::string& end) {
    ShellStatement statement{Kind::group, Joint::always, false, 0, {}, {}};
    statement.branches.push_back({{}, {}, parse_list({end})});
    lexer_.take(end);
    return statement;
  }

  ShellStatement parse_test() {
    ShellStatement statement{Kind::test, Joint::always, false, 0, {}, {}};
    for (lexer_.skip_blanks(true); !lexer_.at_end() && !sees_word("]]"); lexer_.skip_blanks(true)) {
      ShellWord word = lexer_.read_word();
      if (word.raw.empty()) { // an operator: && || ( ) < >
        const std::size_t begin = lexer_.position();
        lexer_.move_to(begin + (lexer_.sees("&&") || lexer_.sees("||") ? 2 : 1));
        word.raw = LocatedText::at(begin, lexer_.text(begin));
      }
      statement.words.push_back(std::move(word));
    }
    take_word("]]");
    return statement;
  }

  ShellStatement parse_command() {
    ShellStatement statement{Kind::command, Joint::always, false, 0, {}, {}};
    const bool keyword = take_word("function");
    lexer_.skip_blanks(false);
    if (keyword)
      statement.words.push_back(lexer_.read_word());
    else
      read_words(statement.words);
    const bool named = statement.words.size() == 1 && lexer_.take("(");
    if (!named && !keyword)
      return statement;
    lexer_.skip_blanks(false);
    if (named && !lexer_.take(")"))
      return statement;
    lexer_.take("(");
    lexer_.take(")");
    statement.kind = Kind::function;
    lexer_.skip_blanks(true);
    statement.branches.push_back({{}, {}, {}});
    if (lexer_.take("{"))
      statement.branches.front().body = parse_group("}").branches.front().body;
    return statement;
  }

  /// Reads the words up to the end of a command, without its redirections.
  void read_words(std::vector<ShellWord>& words) {
    for (;;) {
      lexer_.skip_blanks(false);
      if (skip_redirection())
        continue;
      ShellWord word = lexer_.read_word();
      if (word.raw.empty())
        return;
      const std::string text = word.raw.text();
      const bool descriptor = (lexer_.sees("<") || lexer_.sees(">")) &&
                              text.find_first_not_of("0123456789") == std::string::npos;
      if (!descriptor)
        words.push_back(std::move(word));
    }
  }

  bool skip_redirection() {
    if (lexer_.sees("<<") && !lexer_.sees("<<<")) {
      lexer_.take_here_document();
      return true;
    }
    if (!lexer_.sees("&>") && !lexer_.sees(">") && !lexer_.sees("<"))
      return false;
    while (lexer_.take("&>") || lexer_.take(">") || lexer_.take("<") || lexer_.take("&")) {
    }
    lexer_.skip_blanks(false);
    while (lexer_.take("<") || lexer_.take(">")) {
    }
    if (lexer_.take("("))
      lexer_.read_until(")");
    else
      lexer_.read_word();
    return true;
  }

  ShellLexer lexer_;
  int depth_ = 0;
};

} // namespace

std::vector<ShellStatement> parse_shell(const std::string& file, const std::string& text) {
  return ShellParser(file, text).parse_list({});
}

std::vector<ShellWord> parse_argument_list(const std::string& file, const std::string& text) {
  ShellLexer lexer(file, text);
  std::vector<ShellWord> words;
  for (lexer.skip_blanks(true); !lexer.at_end(); lexer.skip_blanks(true))
    words.push_back(lexer.read_argument());
  return words;
}

} // namespace moesim
