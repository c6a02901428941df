#include "cli/registry.h"

#include "cli/presets.h"
#include "cli/tasks.h"

namespace roformer {

Command bench_command();
Command classify_command();
Command compare_command();
Command completion_command();
Command convert_command();
Command embed_command();
Command evaluate_command();
Command favor_command();
Command fill_mask_command();
Command finetune_command();
Command forward_command();
Command generate_command();
Command translate_command();
Command info_command();
Command inspect_command();
Command plot_command();
Command pretrain_command();
Command report_command();
Command rope_command();
Command similarity_command();
Command tokenize_command();
Command train_tokenizer_command();
Command train_translator_command();

// In the order in which the program lists them.
std::vector<Command> all_commands() {
  return {train_tokenizer_command(),
          pretrain_command(),
          compare_command(),
          finetune_command(),
          train_translator_command(),
          evaluate_command(),
          generate_command(),
          translate_command(),
          fill_mask_command(),
          embed_command(),
          similarity_command(),
          classify_command(),
          convert_command(),
          tokenize_command(),
          plot_command(),
          report_command(),
          rope_command(),
          favor_command(),
          forward_command(),
          inspect_command(),
          bench_command(),
          info_command(),
          completion_command()};
}

std::vector<OptionInfo> options_of(const Command& command) {
  OptionSet options(command.name, command.summary, command.example);
  const auto work = command.prepare(options);  // owns the fields
  return options.list();
}

std::vector<HelpTopic> all_help_topics() {
  return {{.name = "settings",
           .summary = "where the values of options come from",
           .text = R"(Every option has a default. It is overridden, in order of precedence, by
  1. the command line:             --top-k 5   or   --top-k=5
  2. an environment variable:      ROFORMER_TOP_K=5   (ignored where it does not apply)
  3. a file given by --config-file: top-k = 5
A file contains plain keys in TOML. --dump-config prints the settings as such a file.
Several commands can share one: settings of a single command go into a table of its
name, which overrides the keys above it; tables of other commands are ignored.
  threads = 4
  [pretrain]
  steps = 400

Options that take several values (--data FILE...) take all arguments up to the
next option, and may be repeated; in environment variables, commas separate values.

Texts are arguments, or lines of the file given by --input, or, without either,
lines of standard input. They are not changed: brackets and quotes belong to them.
A text that starts with a dash goes after "--".
)"},
          {.name = "presets", .summary = "the shapes and defaults of --preset", .text = presets_text()},
          {.name = "tasks", .summary = "what finetune and evaluate take for --task", .text = tasks_text()},
          {.name = "reference", .summary = "all commands and options on one page (docs/cli.md)", .text = ""}};
}

}  // namespace roformer
