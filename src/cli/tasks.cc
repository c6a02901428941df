#include "cli/tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/labeled/tasks.h"

namespace roformer {

std::string tasks_text() {
  std::string text =
      "--task of finetune and evaluate says what examples are and how they are measured; the first metric\n"
      "chooses the best weights. Columns are found by these names in files with a header and in JSON Lines;\n"
      "--text-column, --text-pair-column and --label-column name others.\n";
  std::string language = "-";
  for (const Task& task : all_tasks()) {
    if (task.language != language) {
      language = task.language;
      text += fmt::format("\n{}\n", language == "en" ? "English" : language == "zh" ? "Chinese" : "Your own files");
    }
    text += fmt::format("  {:<21} {}\n  {:<21} metrics: {}\n  {:<21} columns: {}\n", task.name, task.title, "",
                        fmt::join(task.metrics, ", "), "", task.columns);
  }
  return text;
}

}  // namespace roformer
