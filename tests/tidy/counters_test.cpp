#include "tests/tidy/classes.hpp"
#include "tests/tidy/functions.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace moesim::tidy;

TEST_CASE("the counter of functions sees bodies, not classes, tables, literals or macros") {
  const std::vector<Function> found = functions_of("#define OPEN \\\n  {\n"
                                                   "namespace n {\n"
                                                   "const int table[] = {\n  1'000,\n  2};\n"
                                                   "struct S {\n"
                                                   "  int f() const { return '{'; }\n"
                                                   "};\n"
                                                   "int g(int x) {\n"
                                                   "  if (x) { // {\n"
                                                   "    return h(\"}\", R\"(})\");\n"
                                                   "  }\n"
                                                   "}\n"
                                                   "} // namespace n\n");
  REQUIRE(found.size() == 2);
  CHECK(found[0].line == 7);
  CHECK(found[0].length == 1);
  CHECK(found[1].line == 9);
  CHECK(found[1].length == 5);
}

TEST_CASE("the counter of methods sees declarations and bodies, not members or constructors") {
  const std::vector<Class> found =
      classes_of("namespace n {\n"
                 "enum class E { a, b };\n"
                 "/// Keeps things.\n"
                 "template <class T> class C final : public B<T> {\n"
                 "public:\n"
                 "  explicit C(int x) : x_(x), y_{2}, z_(f(3)) {}\n" // a constructor
                 "  ~C() override;\n"
                 "  C(const C&) = delete;\n"
                 "  C& operator=(const C&) = delete;\n"
                 "  friend void friendly();\n"
                 "  int one() const { return g({}); }\n"
                 "  static std::function<void()> two(int x = f(1));\n"
                 "  virtual void three() = 0;\n"
                 "  bool operator==(const C& other) const;\n" // four
                 "  bool operator<(const C& other) const;\n"  // five
                 "private:\n"
                 "  struct Inner {\n"
                 "    int six() { return 6; }\n" // of the inner class
                 "    auto operator<=>(const Inner&) const = default;\n"
                 "  };\n"
                 "  std::function<void(int)> handler_;\n"
                 "  int x_ = f(2);\n"
                 "  std::vector<int> y_{h(1), 2};\n"
                 "};\n"
                 "int g() { struct Local { void f(); }; }\n"
                 "} // namespace n\n");
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "Inner");
  CHECK(found[0].line == 16);
  CHECK(found[0].methods == 1);
  CHECK(found[1].name == "C");
  CHECK(found[1].line == 3);
  CHECK(found[1].methods == 5);
}

TEST_CASE("a docstring is the comment lines right above") {
  const std::vector<std::string> lines = {"/// Other.", "", "  /// One.", "  /// Two.",
                                          "class C {"};
  CHECK(docstring_above(lines, 4) == "  /// One.\n  /// Two.\n");
  CHECK(docstring_above(lines, 2).empty());
  CHECK(docstring_above(lines, 0).empty());
}
