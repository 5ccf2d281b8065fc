#include "sim/base/input_error.hpp"
#include "sim/importer/shell_run.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace moesim;

namespace {

/// The words of the last command that `run` begins, each in brackets, with a `?` behind one that is
/// not known.
std::string words_of(const std::string& script, const ShellDefinitions& definitions = {}) {
  std::string text;
  for (const ShellCommand& command : run_shell("t.sh", script, definitions).commands)
    if (command.words.front().text() == "run") {
      text.clear();
      for (std::size_t i = 1; i < command.words.size(); ++i)
        text += "[" + command.words[i].text() + "]" + (command.words[i].gap() ? "?" : "");
    }
  return text;
}

/// Why the first word that is not known is not.
std::string gap_of(const std::string& script) {
  for (const ShellCommand& command : run_shell("t.sh", script, {}).commands)
    for (const LocatedText& word : command.words)
      if (word.gap())
        return word.gap()->message + " | " + word.gap()->hint;
  return "all is known";
}

std::string shell_message(const std::string& script) {
  try {
    run_shell("t.sh", script, {});
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

struct Case {
  std::string rule;
  std::string script;
  std::string words;
};

/// Words and their expansion in bash.
const std::vector<Case> expansions = {
    {"a variable", "A=2\nrun $A ${A}x", "[2][2x]"},
    {"split at blanks without quotes", "A='x  y'\nrun $A \"$A\" '$A'", "[x][y][x  y][$A]"},
    {"nothing from an empty value without quotes", "A=\nrun a $A \"$A\"", "[a][]"},
    {"a default", "run ${A:-3} ${B-4} ${C:=5} $C ${C:-6}", "[3][4][5][5][5]"},
    {"a default for an empty value", "A=\nrun ${A:-3} x${A-4}", "[3][x]"},
    {"another word for a set value", "A=1\nrun ${A:+yes} ${B:+no}", "[yes]"},
    {"defaults in defaults", "B=7\nrun ${A:-${B:-1}}", "[7]"},
    {"an array", "A=(--x 1 \"y z\")\nrun \"${A[@]}\" ${A[1]} ${#A[@]}", "[--x][1][y z][1][3]"},
    {"an array that grows", "A=(a)\nA+=(b c)\nrun ${A[@]}", "[a][b][c]"},
    {"an array without its index", "A=(a b)\nrun $A", "[a]"},
    {"text that grows", "A=\"-a\"\nA+=\" -b\"\nA=\"$A -c\"\nrun $A", "[-a][-b][-c]"},
    {"arithmetic", "A=3\nrun $((A * (2 + $A) - 1)) $((7 / 2)) $((7 % 4))", "[14][3][3]"},
    {"lines that are joined", "run a \\\n  b", "[a][b]"},
    {"comments", "run a # b\n# run c", "[a]"},
    {"a comment in an array", "A=(\n  a # one\n  # b\n  c\n)\nrun ${A[@]}", "[a][c]"},
    {"redirections", "run a 2>&1 >out b | tee log", "[a][b]"},
    {"a here-document", "cat <<EOF\nrun no\nEOF\nrun yes", "[yes]"},
    {"export and local", "export A=1 B=2\nrun $A $B", "[1][2]"},
    {"the script's own arguments, of which there are none", "run a \"$@\" b $* $#", "[a][b][0]"},
    {"a list without values between quotes", "A=()\nrun a \"${A[@]}\" b", "[a][b]"},
    {"an environment for one command", "A=1 run x", ""},
    {"a word in two kinds of quotes", "run \"a\"'b'c\\ d", "[abc d]"},
    {"a backslash between quotes", "run \"a\\n\\$\"", "[a\\n$]"},
};

/// Which way a script goes.
const std::vector<Case> conditions = {
    {"a number", "A=4\nif [ $A -gt 1 ]; then B=x; else B=y; fi\nrun $B", "[x]"},
    {"a text",
     "A=b\nif [[ $A == \"a\" ]]; then B=1\nelif [[ $A = b ]]; then B=2\nelse B=3\nfi\n"
     "run $B",
     "[2]"},
    {"a pattern", "A=deepseek\n[[ $A == deep* ]] && B=1\nrun $B", "[1]"},
    {"an empty text", "A=\nif [ -z \"$A\" ] && ! [ -n \"$A\" ]; then B=1; fi\nrun $B", "[1]"},
    {"and, or inside", "A=1\nif [[ $A -eq 2 || ( $A -ge 1 && $A != 3 ) ]]; then B=1; fi\nrun $B",
     "[1]"},
    {"arithmetic", "A=3\nif (( A > 2 )); then B=1; else B=2; fi\nrun $B", "[1]"},
    {"or", "A=1\n[ $A = 2 ] || B=5\nrun $B", "[5]"},
    {"a case", "A=h100\ncase $A in\n  a100) B=1;;\n  h100|h200) B=2 ;;\n  *) B=3\nesac\nrun $B",
     "[2]"},
    {"a loop that never begins", "A=1\nwhile [[ $# -gt 0 ]]; do A=2; shift; done\nrun $A", "[1]"},
    {"a loop over no value", "B=1\nfor A in $*; do B=2; done\nrun $B", "[1]"},
    {"a variable that another way would set", "if [ 1 = 2 ]; then A=1; fi\nrun $A b", "[b]"},
    {"a choice in arithmetic", "A=3\nrun $(( (A > 2) ? A + 1 : 0 )) $(( A > 4 ? 1 : 2 ))",
     "[4][2]"},
    {"a loop over one value", "for A in 8; do B=$A; done\nrun $B", "[8]"},
    {"a function", "f() { A=2; return; A=3; }\nA=1\nf\nrun $A", "[2]"},
    {"a function that nobody calls", "function f { A=2; }\nA=1\nrun $A", "[1]"},
    {"the end", "A=1\nif [ $A = 1 ]; then run a; exit 0; fi\nrun b", "[a]"},
};

/// Values that the file does not determine.
const std::vector<Case> doubts = {
    {"a variable that is not set", "run $A b", "[$A]?[b]"},
    {"what a command prints", "A=$(date \"+%Y %m\")\nrun $A b", "[$(date\"+%Y%m\")]?[b]"},
    {"a condition on it", "if [ $A = 1 ]; then B=1; fi\nrun $B c", "[1]?[c]"},
    {"an array under it: what was there stays known",
     "B=(a)\nif [ $A = 1 ]; then B+=(b); fi\nrun ${B[@]}", "[a][b]?"},
    {"text under it likewise", "B=a\nif [ $A = 1 ]; then B=\"$B b\"; fi\nrun $B", "[a][b]?"},
    {"the same value both ways", "B=1\nif [ $A = 1 ]; then B=1; fi\nrun $B", "[1]"},
    {"every case", "B=0\ncase $A in x) B=1;; esac\nrun $B", "[1]?"},
    {"a file that may be there", "[ -f x ] && B=1\nrun $B", "[1]?"},
    {"a command as a condition", "if grep -q x y; then B=1; fi\nrun $B", "[1]?"},
    {"a loop", "for A in 1 2; do B=$A; done\nrun $B", "[$A]?"},
    {"arithmetic on it", "run $((A * 2))", "[$((A*2))]?"},
};

} // namespace

TEST_CASE("words of a script become what the shell makes of them") {
  for (const Case& row : expansions) {
    INFO(row.rule);
    CHECK(words_of(row.script) == row.words);
  }
}

TEST_CASE("a script goes the way that its conditions tell") {
  for (const Case& row : conditions) {
    INFO(row.rule);
    CHECK(words_of(row.script) == row.words);
  }
}

TEST_CASE("what a script does not tell stays a gap, and nothing else does") {
  for (const Case& row : doubts) {
    INFO(row.rule);
    CHECK(words_of(row.script) == row.words);
  }
}

TEST_CASE("a definition stands above what the script assigns") {
  CHECK(words_of("A=1\nrun $A ${A:-2}", {{"A", "8"}}) == "[8][8]");
  CHECK(words_of("if [ $A = 1 ]; then B=2; fi\nrun $B", {{"A", "1"}}) == "[2]");
  CHECK(words_of("run $1 ${2:-x}", {{"1", "y"}}) == "[y][x]");
  CHECK(words_of("for A in 1 2; do run $A; done", {{"A", "2"}}) == "[2]");
}

TEST_CASE("a gap says why and what to do") {
  CHECK(gap_of("run $A") == "A is not set in this file | set it with --define A=VALUE");
  CHECK(gap_of("run $1") == "$1 is an argument of the script | give it with --define 1=VALUE");
  CHECK(gap_of("run `date`") ==
        "what a command prints is not known here | write its result into a copy of the file");
  CHECK(gap_of("B=1\nif [ $A = 1 ]; then B=2; fi\nrun $B") ==
        "this depends on a condition: A is not set in this file | set it with --define A=VALUE");
  CHECK(gap_of("run ${A%x}") == "${A%x} is more of the shell than is understood here | write its "
                                "value into a copy of the file");
}

TEST_CASE("a variable that a script asks for and nobody sets is empty, and is named") {
  const ShellOutcome outcome = run_shell(
      "t.sh", "if [ -z ${VP} ]; then A=no; else A=yes; fi\n[ -n \"$1\" ] && A=arg\nrun $A", {});
  REQUIRE(outcome.unset.size() == 2);
  CHECK(outcome.unset[0].text() == "${VP}");
  CHECK(outcome.unset[0].gap()->message == "VP is not set in this file");
  CHECK(outcome.unset[1].text() == "$1");
  REQUIRE(outcome.commands.size() == 1);
  CHECK(outcome.commands[0].words[1].text() == "no");
  CHECK_FALSE(outcome.commands[0].words[1].gap());
  CHECK(run_shell("t.sh", "[ -z $VP ]\n", {{"VP", "2"}}).unset.empty());
}

TEST_CASE("every word knows its place, through variables too") {
  const std::string script = "A=abc\nB=\"x $A\"\nrun $B\n";
  const std::vector<ShellCommand> commands = run_shell("t.sh", script, {}).commands;
  REQUIRE(commands.size() == 1);
  REQUIRE(commands[0].words.size() == 3);
  CHECK(commands[0].words[1].offset() == script.find('x'));
  CHECK(commands[0].words[2].offset() == script.find("abc"));
}

TEST_CASE("a script that the shell would refuse is refused at its place") {
  CHECK(shell_message("run 'a\nb") == "t.sh:1:5: error: this quote has no end\n"
                                      "  run 'a\n"
                                      "      ^");
  CHECK(shell_message("A=(a\nb") == "t.sh:1:3: error: this list has no end\n"
                                    "  A=(a\n"
                                    "    ^");
  CHECK(shell_message("run ${A") == "t.sh:1:5: error: this bracket has no end\n"
                                    "  run ${A\n"
                                    "      ^");
}

TEST_CASE("no script makes the reader grow or run without end") {
  std::string doubling = "A=xxxxxxxxxx\n";
  for (int i = 0; i < 60; ++i)
    doubling += "A=$A$A\n";
  CHECK(shell_message(doubling).find("A grows beyond 1000000 bytes") != std::string::npos);
  std::string calling = "f0() { :; }\n";
  for (int i = 1; i < 19; ++i)
    calling += "f" + std::to_string(i) + "() { f" + std::to_string(i - 1) + "; f" +
               std::to_string(i - 1) + "; f" + std::to_string(i - 1) + "; }\n";
  CHECK(shell_message(calling + "f18\n").find("the script runs more than 200000 statements") !=
        std::string::npos);
  CHECK(shell_message("f() { f; }\nf\n") == "no error");
  std::string deep;
  for (int i = 0; i < 60; ++i)
    deep += "if true; then\n";
  CHECK(shell_message(deep).find("statements are nested too deep") != std::string::npos);
  CHECK(shell_message("run " + std::string(100'000, '(')) != "no error");
  std::string groups;
  for (int i = 0; i < 100'000; ++i)
    groups += "( ";
  CHECK(shell_message(groups).find("statements are nested too deep") != std::string::npos);
  std::string defaults = "run ";
  for (int i = 0; i < 60; ++i)
    defaults += "${A:-";
  CHECK(shell_message(defaults + "x" + std::string(60, '}')).find("nested too deep") !=
        std::string::npos);
}
