#include "sim/importer/shell_variables.hpp"

#include <algorithm>
#include <cctype>

namespace moesim {

std::size_t ShellFiles::add(const std::string& name, const std::string& text) {
  const std::size_t base = files_.empty() ? 0 : files_.back().base + files_.back().text.size() + 1;
  files_.push_back({name, text, base});
  return base;
}

const ShellFiles::File& ShellFiles::at(std::size_t offset) const {
  std::size_t index = files_.size() - 1;
  while (index > 0 && files_[index].base > offset)
    --index;
  return files_[index];
}

InputLocation ShellFiles::locate(std::size_t offset) const {
  const File& file = at(offset);
  return locate_offset(file.name, file.text, offset - file.base);
}

ShellVariables::ShellVariables(const ShellDefinitions& definitions)
    : definitions_(definitions.variables) {
  if (!definitions.arguments)
    return;
  arguments_.emplace();
  for (const std::string& argument : *definitions.arguments)
    arguments_->push_back(LocatedText::at(0, argument));
}

std::optional<ShellValues> ShellVariables::find(const std::string& name, std::size_t offset) const {
  if (const auto defined = definitions_.find(name); defined != definitions_.end())
    return {{LocatedText::at(offset, defined->second)}};
  if (name == "@" || name == "*")
    return arguments_.value_or(ShellValues{});
  if (name == "#")
    return {{LocatedText::at(offset, std::to_string(arguments_ ? arguments_->size() : 0))}};
  if (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) && name != "0") {
    if (!arguments_)
      return std::nullopt;
    const std::size_t index = name.size() < 5 ? std::stoul(name) : 0;
    return index > 0 && index <= arguments_->size() ? ShellValues{(*arguments_)[index - 1]}
                                                    : ShellValues{};
  }
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(*found->second);
}

std::optional<ShellValues> ShellVariables::set_arguments(std::optional<ShellValues> arguments) {
  std::swap(arguments, arguments_);
  return arguments;
}

} // namespace moesim
