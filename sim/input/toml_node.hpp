#pragma once

#include "sim/input/toml_document.hpp"

#include <toml++/toml.h>

#include <string>

/// Nodes of toml++, for the readers of TOML alone.
namespace moesim {

/// The name of a node's type in messages: "a whole number", "a list".
std::string type_name(const toml::node& node);
/// A plain value as TOML prints it, a string without its quotes.
std::string text_of(const toml::node& node);
/// A value of any type on one line, as a file may hold it.
std::string one_line(const toml::node& node);
/// A value of any type as JSON.
std::string json_of(const toml::node& node);
/// A plain value, or one of any type.
TomlValue value_of(const toml::node& node, InputLocation where);

} // namespace moesim
