#include "tasks/labeled_input.h"

#include <algorithm>
#include <iterator>

namespace roformer {

ReadOptions read_options(const ColumnOptions& columns) {
  ReadOptions options = columns.read;
  options.format = parse_file_format(columns.format);
  if (columns.header != "automatic") options.header = columns.header == "yes";
  return options;
}

std::vector<Example> read_files(const Task& task, const std::vector<std::string>& files, const ReadOptions& options,
                                std::vector<std::string>& notices) {
  std::vector<Example> examples;
  for (const std::string& file : files) {
    LabeledData data = read_examples(task, file, options);
    std::ranges::move(data.examples, std::back_inserter(examples));
    notices.insert(notices.end(), data.notices.begin(), data.notices.end());
  }
  return examples;
}

}  // namespace roformer
