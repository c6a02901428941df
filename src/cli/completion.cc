// roformer completion: a script that lets bash complete commands, options and their choices.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>

#include "cli/registry.h"

namespace roformer {
namespace {

struct CompletionOptions {
  std::string shell = "bash";
};

void describe(OptionSet& set, CompletionOptions& options) {
  set.add_choice("--shell", options.shell, {"bash"}, "shell to complete in");
}

// Bash itself completes everything else as a file name.
constexpr std::string_view kScript =
    R"(# Completion of roformer for bash: source <(roformer completion). An installed program brings it along.
_roformer() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} options= choices=
  # bash cuts --name=value into three words.
  if [[ $current == '=' ]]; then current=; elif [[ $previous == '=' ]]; then previous=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{0} help --help --version' -- "$current"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{1}    help) COMPREPLY=($(compgen -W '{0} {2}' -- "$current")); return ;;
  esac
  case ${{COMP_WORDS[1]}}:$previous in
{3}  esac
  if [[ -n $choices ]]; then
    COMPREPLY=($(compgen -W "$choices" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  fi
}}
complete -o default -F _roformer roformer
)";

void run(const CompletionOptions&) {
  std::vector<std::string> names, topics;
  std::string options, choices;
  for (const Command& command : all_commands()) {
    names.push_back(command.name);
    std::vector<std::string> of_command;
    for (const OptionInfo& option : options_of(command)) {
      if (option.name.starts_with("-")) of_command.push_back(option.name);
      if (option.choices.empty()) continue;
      choices += fmt::format("    {}:{}) choices='{}' ;;\n", command.name, option.name, fmt::join(option.choices, " "));
    }
    options += fmt::format("    {}) options='{}' ;;\n", command.name, fmt::join(of_command, " "));
  }
  for (const HelpTopic& topic : all_help_topics()) topics.push_back(topic.name);
  std::cout << fmt::format(kScript, fmt::join(names, " "), options, fmt::join(topics, " "), choices);
}

}  // namespace

Command completion_command() {
  return {.name = "completion",
          .summary = "Print a script that completes commands and options in bash",
          .group = "This program",
          .example = "source <(roformer completion)",
          .prepare = prepare_with<CompletionOptions>(describe, run)};
}

}  // namespace roformer
