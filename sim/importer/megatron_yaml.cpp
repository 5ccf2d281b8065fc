#include "sim/importer/megatron_arguments.hpp"

#include "sim/input/yaml_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace moesim {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char value) { return static_cast<char>(std::tolower(value)); });
  return text;
}

class YamlArguments {
public:
  YamlArguments(const ShellDefinitions& definitions, MegatronArguments& arguments)
      : definitions_(definitions), arguments_(arguments) {}

  void read(const YamlNode& root) {
    if (root.kind() != YamlNode::Kind::map)
      root.fail("this is no table of arguments", "as in: MODEL_ARGS:, then --num-layers: 32");
    if (const YamlNode* variables = root.find("ENV_VARS"))
      for (const auto& [name, value] : variables->entries())
        if (value.kind() == YamlNode::Kind::scalar)
          variables_[name.text()] = value.text();
    refuse_other_files(root);
    if (const YamlNode* overrides = primus_overrides(root))
      return read_table(*overrides);
    const YamlNode* arguments = root.find("MODEL_ARGS");
    if (!arguments)
      arguments = root.find("ARGS");
    if (!arguments) {
      read_table(root);
      // A config of Megatron-Bridge has no flag beside the number of groups.
      if (root.find("_target_") && arguments_.has("num-query-groups"))
        arguments_.add({"group-query-attention", arguments_.get("num-query-groups").where, {}});
      return;
    }
    static const std::set<std::string> about_the_run = {
        "MODEL_ARGS", "ARGS", "ENV_VARS", "DEPENDENCIES", "TEST_TYPE", "METRICS", "MODE"};
    for (const auto& [name, value] : root.entries())
      if (!about_the_run.contains(name.text()))
        arguments_.add_unknown({name.text(), name.where(), {}});
    if (arguments->kind() != YamlNode::Kind::map)
      arguments->fail("the arguments must be a table", "as in: --num-layers: 32");
    read_table(*arguments);
  }

private:
  /// Refuses a file of Hydra, as FlagScale's, whose list of defaults names the file with the plan.
  static void refuse_other_files(const YamlNode& root) {
    const YamlNode* defaults = root.find("defaults");
    if (!defaults || defaults->kind() != YamlNode::Kind::sequence)
      return;
    for (const YamlNode& item : defaults->items())
      if (item.kind() == YamlNode::Kind::map)
        for (const auto& [group, name] : item.entries())
          name.fail("the plan is in another file",
                    fmt::format("import {}/{}.yaml", group.text(), name.text()));
  }

  /// The arguments of a Primus experiment, whose model is in a file of its own; null for others.
  const YamlNode* primus_overrides(const YamlNode& root) {
    const YamlNode* modules = root.find("modules");
    const YamlNode* trainer = modules ? modules->find("pre_trainer") : nullptr;
    if (const YamlNode* model = trainer ? trainer->find("model") : nullptr)
      arguments_.model_file = expand(*model).text();
    return trainer ? trainer->find("overrides") : nullptr;
  }

  /// Reads keys and values; nested tables only group them.
  void read_table(const YamlNode& table) {
    for (const auto& [name, value] : table.entries())
      if (value.kind() == YamlNode::Kind::map)
        read_table(value);
      else
        read_entry(name, value);
  }

  void read_entry(const YamlNode& key, const YamlNode& value) {
    MegatronArgument argument{argument_name(key.text()), key.where(), {}};
    if (const std::string opposite = opposite_flag(argument.name); !opposite.empty()) {
      argument.name = opposite;
      if (is_off(value))
        arguments_.add(std::move(argument));
      return;
    }
    if (key.text() == "_target_" || key.text() == "_call_")
      return; // Python's names in a config of Megatron-Bridge
    const ArgumentRule* rule = find_argument_rule(argument.name);
    if (value.kind() == YamlNode::Kind::null || (rule && is_off(value)))
      return; // Megatron's default
    const bool flag = rule && rule->shape == ArgumentShape::flag;
    if (!is_on(value))
      add_values(argument, value);
    if (flag && !argument.values.empty() && rule->use != ArgumentUse::without_effect)
      value.fail(fmt::format("{} must be true or false", key.text()));
    if (!rule)
      return arguments_.add_unknown(argument);
    if (rule->shape == ArgumentShape::value && argument.values.empty())
      value.fail(fmt::format("{} has no value", key.text()));
    arguments_.add(std::move(argument));
  }

  static bool is_word(const YamlNode& value, std::initializer_list<const char*> words) {
    if (value.kind() != YamlNode::Kind::scalar || value.is_quoted())
      return false;
    const std::string text = lower(value.text());
    return std::find(words.begin(), words.end(), text) != words.end();
  }
  static bool is_on(const YamlNode& value) { return is_word(value, {"true", "yes", "on"}); }
  static bool is_off(const YamlNode& value) {
    return value.kind() == YamlNode::Kind::null ||
           is_word(value, {"false", "no", "off", "none", "null"});
  }

  void add_values(MegatronArgument& argument, const YamlNode& value) {
    if (value.kind() == YamlNode::Kind::sequence) {
      for (const YamlNode& item : value.items())
        if (item.kind() != YamlNode::Kind::scalar)
          item.fail("a list of plain values is expected");
        else
          add_values(argument, item);
      return;
    }
    const LocatedText text = expand(value);
    argument.values.push_back({text.text(), value.where(), text.gap()});
  }

  LocatedText expand(const YamlNode& value) {
    return LocatedText::at(0, value.text()).with_variables([&](const std::string& name) {
      const auto defined = definitions_.variables.find(name);
      const auto assigned = variables_.find(name);
      return defined != definitions_.variables.end() ? std::optional(defined->second)
             : assigned != variables_.end()          ? std::optional(assigned->second)
                                                     : std::nullopt;
    });
  }

  const ShellDefinitions& definitions_;
  MegatronArguments& arguments_;
  std::map<std::string, std::string> variables_;
};

} // namespace

void read_megatron_yaml(const std::string& file, const std::string& text,
                        const ShellDefinitions& definitions, MegatronArguments& arguments) {
  YamlArguments(definitions, arguments).read(YamlNode::parse(text, file));
}

} // namespace moesim
