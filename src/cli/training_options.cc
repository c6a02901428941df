#include "cli/training_options.h"

#include <fmt/format.h>

#include <iostream>

#include "cli/setting_options.h"

namespace roformer {

void describe_training_data(OptionSet& set, PretrainOptions& task, std::string_view output_help) {
  set.section("Data");
  SettingOptions options(set);
  visit_data_settings(task, options);
  set.add("--output", task.output, output_help, "DIR");
  set.require("--output");
}

void describe_training_shape(OptionSet& set, PretrainOptions& task, bool alone) {
  set.section("Model");
  add_shape(set, task.shape, alone);
  SettingOptions options(set);
  visit_model_settings(task, options);
}

void describe_training_run(OptionSet& set, TrainingCommand& command) {
  set.section("Run");
  SettingOptions options(set);
  visit_run_settings(command.task, options);
  add_engine(set, command.engine, true);
  set.add("--yes", command.yes, "start without confirmation even if estimated to take more than 24 hours");
}

void print_undivided(const UndividedFile& file) {
  std::cerr << fmt::format(
      "roformer: {}: {} lines without a blank line between them are read as one document; if each line is a text of "
      "its own, use --documents lines\n",
      file.path, file.lines);
}

}  // namespace roformer
