// Labeled files as options name them: their columns, and their examples.
#pragma once

#include <string>
#include <vector>

#include "base/setting.h"
#include "data/labeled/labeled_file.h"

namespace roformer {

// Which columns of a labeled file are what.
struct ColumnOptions {
  ReadOptions read;
  std::string format = "automatic";  // of file_format_names()
  std::string header = "automatic";  // yes or no
};

// What to read with: format and header parsed. UsageError for other names.
ReadOptions read_options(const ColumnOptions& columns);

// The examples of several files, one behind the other. Appends what was counted to `notices`.
std::vector<Example> read_files(const Task& task, const std::vector<std::string>& files, const ReadOptions& options,
                                std::vector<std::string>& notices);

template <OptionsOf<ColumnOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  constexpr Effect kResolved = Effect::resolved;
  visitor.text(options.read.text_column,
               {"text_column", "column of the text: a name, or a number from 1 (default: the task's)", kResolved},
               "COLUMN");
  visitor.text(options.read.text_pair_column,
               {"text_pair_column", "column of the second text (default: the task's)", kResolved}, "COLUMN");
  visitor.text(
      options.read.text_third_column,
      {"text_third_column", "column of a triplet's third text, or of a negative (default: the task's)", kResolved},
      "COLUMN");
  visitor.text(options.read.label_column, {"label_column", "column of the label (default: the task's)", kResolved},
               "COLUMN");
  visitor.text(options.read.id_column, {"id_column", "column that names an example in what is written"}, "COLUMN");
  visitor.text(
      options.read.tag_column,
      {"tag_column", "token classification: column of the tag, a number from 1 or \"last\" (default: 2)", kResolved},
      "COLUMN");
  visitor.choice(options.format, {"format", "of the labeled files (automatic: by name and content)", kResolved},
                 file_format_names());
  visitor.choice(options.header, {"header", "whether the first line has the names of the columns", kResolved},
                 {"automatic", "yes", "no"});
}

}  // namespace roformer
