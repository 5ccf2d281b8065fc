#include "sim/input/shell_document.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace moesim {

namespace {

/// Most bytes of a script, nested values of its tree, and bytes and seconds that shfmt may take.
constexpr std::size_t script_bytes_max = 300'000;
constexpr int tree_depth_max = 400;
constexpr rlim_t tree_bytes_max = 200'000'000;
constexpr rlim_t parse_seconds_max = 10;
/// Exit status of a child that found no program, as a shell has it.
constexpr int no_program = 127;

/// A file without a name, which goes with its owner.
struct UnnamedFile {
  std::FILE* stream = std::tmpfile();

  UnnamedFile() {
    if (!stream)
      throw InputError({"shfmt"}, "no temporary file can be made for its output");
  }
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;
  ~UnnamedFile() { std::fclose(stream); }

  std::string text() const {
    std::string text;
    std::rewind(stream);
    char part[1 << 16];
    while (const std::size_t size = std::fread(part, 1, sizeof part, stream))
      text.append(part, size);
    return text;
  }
};

/// Runs shfmt on a script and returns its exit status, or -1 if a signal ended it.
int run_shfmt(const std::string& script, const UnnamedFile& tree, const UnnamedFile& errors) {
  const UnnamedFile input;
  std::fwrite(script.data(), 1, script.size(), input.stream);
  std::fflush(input.stream);
  std::rewind(input.stream);
  const int files[] = {fileno(input.stream), fileno(tree.stream), fileno(errors.stream)};
  const pid_t process = fork();
  if (process == 0) {
    const rlimit seconds{parse_seconds_max, parse_seconds_max};
    const rlimit bytes{tree_bytes_max, tree_bytes_max};
    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_FSIZE, &bytes);
    for (int i = 0; i < 3; ++i)
      dup2(files[i], i);
    execlp("shfmt", "shfmt", "--to-json", "-ln", "bash", static_cast<char*>(nullptr));
    _exit(no_program);
  }
  int status = 0;
  if (process < 0 || waitpid(process, &status, 0) != process)
    throw InputError({"shfmt"}, "cannot be started");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Throws the error that shfmt prints as `LINE:COLUMN: MESSAGE`, in some versions after a name.
[[noreturn]] void relay_error(const std::string& printed, const std::string& text,
                              const std::string& name) {
  int line = 0;
  int column = 0;
  int read = 0;
  const char* position = printed.c_str() + (printed[0] == '<' ? printed.find(':') + 1 : 0);
  if (std::sscanf(position, "%d:%d: %n", &line, &column, &read) != 2 || read == 0)
    throw InputError({name}, "shfmt cannot read this script: " +
                                 printed.substr(0, printed.find_first_of("\r\n")));
  std::size_t offset = 0;
  for (int i = 1; i < line && offset < text.size(); ++i)
    offset = std::min(text.find('\n', offset), text.size() - 1) + 1;
  const std::string message = position + read;
  throw InputError(
      locate_offset(name, text, offset + static_cast<std::size_t>(std::max(column - 1, 0))),
      message.substr(0, message.find('\n')));
}

} // namespace

struct ShellNode::Document {
  std::string text;
  std::size_t base = 0;
  nlohmann::json tree;
};

ShellNode ShellNode::parse(const std::string& text, const std::string& name, std::size_t base) {
  if (text.size() > script_bytes_max)
    throw InputError({name}, fmt::format("a script of more than {} bytes", script_bytes_max));
  const UnnamedFile tree;
  const UnnamedFile errors;
  const int status = run_shfmt(text, tree, errors);
  if (status == no_program)
    throw InputError({name}, "reading a shell script needs the program shfmt",
                     "install the Debian package shfmt (https://github.com/mvdan/sh)");
  if (status != 0)
    relay_error(errors.text(), text, name);
  const auto document = std::make_shared<Document>(Document{text, base, {}});
  const auto check_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > tree_depth_max)
      throw InputError({name}, "statements are nested too deep");
    return true;
  };
  document->tree = nlohmann::json::parse(tree.text(), check_depth);
  return {document, &document->tree};
}

ShellNode ShellNode::child(const char* member) const {
  if (!node_ || !node_->is_object())
    return {document_, nullptr};
  const auto found = node_->find(member);
  return {document_, found == node_->end() || found->is_null() ? nullptr : &*found};
}

std::vector<ShellNode> ShellNode::children(const char* member) const {
  const ShellNode list = child(member);
  return list.node_ && list.node_->is_array() ? list.all_children() : std::vector<ShellNode>{};
}

std::vector<ShellNode> ShellNode::all_children() const {
  std::vector<ShellNode> nodes;
  if (node_ && node_->is_structured())
    for (const nlohmann::json& value : *node_)
      if (value.is_structured())
        nodes.push_back({document_, &value});
  return nodes;
}

bool ShellNode::flag(const char* member) const {
  const ShellNode value = child(member);
  return value.node_ && value.node_->is_boolean() && value.node_->get<bool>();
}

std::string ShellNode::text(const char* member) const {
  const ShellNode value = child(member);
  return value.node_ && value.node_->is_string() ? value.node_->get<std::string>() : "";
}

std::size_t ShellNode::offset(const char* member) const {
  if (empty())
    return 0;
  const ShellNode value = child(member).child("Offset");
  return document_->base +
         (value.node_ && value.node_->is_number_unsigned() ? value.node_->get<std::size_t>() : 0);
}

std::string ShellNode::source(std::size_t begin, std::size_t end) const {
  if (end <= begin || begin < document_->base)
    return "";
  const std::size_t first = std::min(begin - document_->base, document_->text.size());
  return document_->text.substr(first, end - begin);
}

} // namespace moesim
