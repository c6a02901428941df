#include "cli/tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/labeled/tasks.h"

namespace roformer {

std::string tasks_text() {
  std::string text =
      "--task of finetune and evaluate says what an example is and how it is measured. The first metric\n"
      "chooses the best weights (--metric names another one). Columns are found by these names in files\n"
      "with a header and in JSON; --text-column, --text-pair-column and --label-column name others, or\n"
      "their numbers from 1. Files may be TSV, CSV, JSON or CoNLL columns, plain or compressed.\n"
      "  roformer finetune --model MODEL --task classification --train train.tsv --output DIR\n"
      "  roformer evaluate --model DIR --data test.tsv\n"
      "  roformer classify --model DIR \"some text\"\n";
  std::string language = "-";
  for (const Task& task : all_tasks()) {
    if (task.language != language) {
      language = task.language;
      text += fmt::format("\n{}\n", language == "en" ? "English" : language == "zh" ? "Chinese" : "Your own files");
    }
    text += fmt::format("  {:<21} {}{}\n  {:<21} metrics: {}\n  {:<21} columns: {}\n", task.name, task.title,
                        task.source.empty() ? "" : fmt::format(" ({})", task.source), "", fmt::join(task.metrics, ", "),
                        "", task.columns);
    constexpr size_t kFewLabels = 8;
    if (task.labels.size() > kFewLabels) text += fmt::format("  {:<21} labels: {}\n", "", task.labels.size());
    if (!task.labels.empty() && task.labels.size() <= kFewLabels) {
      text += fmt::format("  {:<21} labels: {}\n", "", fmt::join(task.labels, ", "));
    }
  }
  return text;
}

}  // namespace roformer
