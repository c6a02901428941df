#include "cli/registry.h"

namespace roformer {

Command info_command();

std::vector<Command> all_commands() { return {info_command()}; }

std::vector<HelpTopic> all_help_topics() {
  return {{.name = "settings",
           .summary = "where the values of options come from",
           .text = R"(Every option has a default. It is replaced, the first that is there winning, by
  1. the command line:             --top-k 5   or   --top-k=5
  2. an environment variable:      ROFORMER_TOP_K=5
  3. a file given by --config-file: top-k = 5
A file holds plain keys in TOML. --dump-config prints the settings as such a file.

Options that take several values (--data FILE...) take all arguments up to the
next option, and may be repeated; in a variable values are separated by commas.

Texts are arguments, or lines of the file given by --input, or, without either,
lines of standard input. They arrive as they are, brackets and quotes included.
What starts with a dash goes after "--".
)"}};
}

}  // namespace roformer
