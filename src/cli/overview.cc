#include "cli/overview.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "cli/registry.h"

namespace roformer {
namespace {

std::vector<std::string> groups_of(const std::vector<Command>& commands) {
  std::vector<std::string> groups;
  for (const Command& command : commands) {
    if (std::find(groups.begin(), groups.end(), command.group) == groups.end()) groups.push_back(command.group);
  }
  return groups;
}

// Text for a cell of a table.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*') result += '\\';
    result += c;
  }
  return result;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

std::string option_row(const OptionInfo& option) {
  const std::string value = option.value_name.empty() ? "" : " " + option.value_name;
  const std::string more = option.list && option.choices.empty() && option.value_name != "LIST" ? "…" : "";
  return fmt::format("| `{}{}{}` | {} | {} |\n", option.name, value, more,
                     option.required ? "required" : code(option.default_value), cell(option.help));
}

std::string command_page(const Command& command) {
  std::string text = fmt::format("## {}\n\n{}.\n\n```\n{}\n```\n", command.name, command.summary, command.example);
  std::string section;
  for (const OptionInfo& option : options_of(command)) {
    if (option.section == "General") continue;  // the same everywhere
    if (option.section != section) {
      section = option.section;
      text += fmt::format("\n| {} | default | |\n|---|---|---|\n", section);
    }
    text += option_row(option);
  }
  return text + "\n";
}

}  // namespace

std::string overview() {
  std::string text = "roformer " ROFORMER_VERSION
                     ": train, use and study RoFormer models (transformers with rotary position embedding)\n\n"
                     "Usage: roformer COMMAND [OPTIONS]\n";
  const std::vector<Command> commands = all_commands();
  for (const std::string& group : groups_of(commands)) {
    text += fmt::format("\n{}:\n", group);
    for (const Command& command : commands) {
      if (command.group == group) text += fmt::format("  {:<18}{}\n", command.name, command.summary);
    }
  }
  text += "\nHelp topics:\n";
  for (const HelpTopic& topic : all_help_topics()) {
    text += fmt::format("  help {:<13}{}\n", topic.name, topic.summary);
  }
  text += "\nFirst steps, from your own text to a model that fills in masks:\n";
  for (const char* name : {"train-tokenizer", "pretrain", "fill-mask"}) {
    const auto step = std::find_if(commands.begin(), commands.end(), [&](const auto& c) { return c.name == name; });
    text += fmt::format("  {}\n", step->example);
  }
  return text + "\nRun roformer COMMAND --help for its options and an example.\n";
}

std::string reference() {
  std::string text =
      "# The commands\n\n"
      "This page is what `roformer help reference` prints; a test compares them.\n\n"
      "Results go to standard output, everything else to standard error. Exit codes: 0 success, 1 failure (a file, the "
      "data, no space), 2 wrong usage, 130 interrupted after saving.\n\n";
  for (const HelpTopic& topic : all_help_topics()) {
    if (topic.text.empty()) continue;
    text += fmt::format("## {}\n\n```\n{}```\n\n", topic.name, topic.text);
  }
  for (const Command& command : all_commands()) text += command_page(command);
  return text;
}

}  // namespace roformer
