#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace moesim {

/// A node of the syntax tree of a shell script, with the types and members that the program shfmt
/// gives them. A node that is absent is empty: it has no type, no members and no text.
class ShellNode {
public:
  ShellNode() = default;
  /// The tree of a script in bash. All offsets of the tree are `base` larger than those in `text`.
  /// Throws InputError, with `name` as the file, for a script that is not bash or is larger or
  /// deeper than any real one, and if shfmt is not installed.
  static ShellNode parse(const std::string& text, const std::string& name, std::size_t base = 0);

  bool empty() const { return node_ == nullptr; }
  /// "CallExpr", "IfClause", …; "" for a type that follows from the place of the node.
  std::string type() const { return text("Type"); }
  ShellNode child(const char* member) const;
  std::vector<ShellNode> children(const char* member) const;
  /// The nodes of all members.
  std::vector<ShellNode> all_children() const;
  bool flag(const char* member) const;
  std::string text(const char* member) const;
  /// Bytes of the script before the node, before its end, and before the token of a member such as
  /// `OpPos`.
  std::size_t begin() const { return offset("Pos"); }
  std::size_t end() const { return offset("End"); }
  std::size_t offset(const char* member) const;
  /// The script between two offsets.
  std::string source(std::size_t begin, std::size_t end) const;

private:
  struct Document;
  ShellNode(std::shared_ptr<const Document> document, const nlohmann::json* node)
      : document_(std::move(document)), node_(node) {}

  std::shared_ptr<const Document> document_;
  const nlohmann::json* node_ = nullptr;
};

} // namespace moesim
