#include "sim/scenario/graphs_input.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

const std::string no_scope = "none";

bool is_list(const TomlValue& value) {
  return value.toml.starts_with('[');
}

void add_part(const TomlTable& table, const std::string& key, const std::string& name,
              CudaGraphs& graphs) {
  const auto* const known =
      std::find_if(cuda_graph_parts.begin(), cuda_graph_parts.end(),
                   [&](const CudaGraphPart& part) { return part.name == name; });
  if (known == cuda_graph_parts.end())
    table.fail(key, fmt::format("there is no scope \"{}\"", name),
               fmt::format("the scopes are full_iteration, attn, moe_router, moe_preprocess, mlp, "
                           "or {} = \"none\"",
                           key));
  graphs.*known->member = true;
}

/// The scope of a word, or of a list of parts.
CudaGraphs scope_of(const TomlTable& table, const std::string& key, const TomlValue& value) {
  CudaGraphs graphs;
  if (!is_list(value)) {
    if (value.text != no_scope)
      add_part(table, key, value.text, graphs);
    return graphs;
  }
  const TomlDocument document = TomlDocument::parse("parts = " + value.toml, value.where.file);
  for (const TomlValue& part : document.root().any_list("parts"))
    add_part(table, key, part.text, graphs);
  return graphs;
}

} // namespace

CudaGraphs parse_scope(const TomlTable& table, const std::string& key) {
  if (table.is_list(key))
    table.list(key); // not empty, plain values
  return scope_of(table, key, table.any_value(key));
}

std::vector<CudaGraphs> parse_scopes(const TomlTable& table, const std::string& key) {
  const std::vector<TomlValue> values =
      table.is_list(key) ? table.any_list(key) : std::vector<TomlValue>{};
  const bool chosen = std::any_of(values.begin(), values.end(), [](const TomlValue& value) {
    return is_list(value) || value.text == no_scope;
  });
  if (!chosen)
    return {scope_of(table, key, table.any_value(key))};
  std::vector<CudaGraphs> scopes;
  for (const TomlValue& value : values) {
    if (value.toml == "[]")
      table.fail(key, "an empty list is no scope", "write \"none\"");
    scopes.push_back(scope_of(table, key, value));
  }
  std::sort(scopes.begin(), scopes.end());
  scopes.erase(std::unique(scopes.begin(), scopes.end()), scopes.end());
  return scopes;
}

} // namespace moesim
