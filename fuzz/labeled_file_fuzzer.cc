// Labeled files of every task and format. Byte 0 selects the task, byte 1 the format, byte 2 how columns are chosen;
// the rest is the file.
#include <algorithm>

#include "data/labeled/augment.h"
#include "data/labeled/labeled_file.h"
#include "data/labeled/split.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

void check_example(const Task& task, const Example& example) {
  for (const std::string& text : example.texts) require(find_invalid_utf8(text) == kValidUtf8, "texts are UTF-8");
  require(!example.texts.empty() && example.line > 0, "an example has texts and a line");
  if (task.kind == TaskKind::multiple_choice) {
    require(example.texts.size() >= 3, "there are two choices at least");
    require(example.choice < static_cast<int64_t>(example.texts.size()) - 1, "the choice is one of those");
    require(example.labeled == (example.choice >= 0), "an example with a label has a choice");
  } else if (task.kind == TaskKind::token_classification) {
    require(!example.labeled || example.labels.size() == example.texts.size(), "there is a tag for each token");
  } else {
    const auto texts = static_cast<int>(example.texts.size());
    require(texts >= task.least_texts && texts <= task.most_texts, "there are as many texts as the task takes");
  }
  if (task.kind == TaskKind::question_answering) {
    const int64_t length = count_code_points(example.texts[1]);
    for (const AnswerSpan& answer : example.answers) {
      require(answer.begin + count_code_points(answer.text) <= length || answer.begin < 0,
              "answers are in the context");
    }
  }
  for (const std::string& label : example.labels) {
    require(task.labels.empty() || std::count(task.labels.begin(), task.labels.end(), label) == 1,
            "labels are the task's");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const Task& task = all_tasks()[data[0] % all_tasks().size()];
  ReadOptions options;
  options.format = static_cast<FileFormat>(data[1] % file_format_names().size());
  if ((data[2] & 1) != 0) options.text_column = "1";
  if ((data[2] & 2) != 0) options.text_pair_column = "2";
  if ((data[2] & 4) != 0) options.label_column = (data[2] & 8) != 0 ? "3" : "2";
  if ((data[2] & 16) != 0) options.header = (data[2] & 32) != 0;
  if ((data[2] & 64) != 0) options.tag_column = "last";
  options.labels_required = (data[2] & 128) != 0;
  const Scratch& scratch = Scratch::get();
  scratch.put("labeled", as_text(data + 3, size - 3));
  LabeledData read;
  if (!accepts([&] { read = read_examples(task, scratch.path("labeled"), options); })) return 0;
  require(!read.examples.empty(), "a file has examples");
  require(!options.labels_required || read.labeled(), "labels are there if they are required");
  for (const Example& example : read.examples) {
    require(example.labeled == read.labeled(), "all examples have labels or none");
    check_example(task, example);
  }
  for (const std::string& notice : read.notices) check_message(notice);
  accepts([&] { disjoint_folds(read.examples, 2, 1); });
  if (task.kind == TaskKind::triplet) augment_triplets(read.examples);
  return 0;
}

}  // namespace roformer::fuzz
