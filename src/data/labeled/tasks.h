// The table of tasks: what their files look like, which labels they have and how they are measured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/labeled/example.h"

namespace roformer {

// What the records of a task's published files are, beyond rows and objects with columns.
enum class FileShape {
  records,  // rows of a table, or JSON objects
  squad,    // {"data": [{"paragraphs": [{"context", "qas"}]}]} (Rajpurkar et al. 2016, 2018); DRCD and CMRC 2018, too
  c3,       // [[utterances], [{"question", "choice", "answer"}], id]: the context, then the question before each choice
  chid,     // a passage with #idiom#, which becomes "____", and candidates for it
  cluewsc,  // a text and two spans, marked as in CLUE's baseline: _first_ and [second]
  cluener   // a text and {type: {entity: [[first, last]]}}, which become characters with BIO tags
};

// Where a row of a file without a header has what, as column numbers from 1.
struct Positions {
  int fields = 0;
  bool or_more = false;  // rows may have more fields, which are ignored
  std::vector<int> texts = {};
  int label = 0;  // 0: the file has none
};

struct Task {
  std::string name = {};      // as given to --task: "sst-2"
  std::string title = {};     // "SST-2: sentiment of film reviews"
  std::string language = {};  // "en", "zh"; empty: any
  TaskKind kind = TaskKind::classification;
  // How many texts an example has. Of multiple choice, the prompt; its choices follow. Of token classification, 0: its
  // tokens.
  int least_texts = 1, most_texts = 1;
  // In the order of ids, where the task defines them; empty: learned from the training file. Files may also have
  // numbers of these, from 0, where they are words ("1" for "not_entailment"), and other capitals.
  std::vector<std::string> labels = {};
  // The first chooses the best model: accuracy, f1 (of the second label, of entities, of answers), macro_f1,
  // micro_f1, matthews, pearson, spearman, exact_match.
  std::vector<std::string> metrics = {};
  std::string columns = {};  // what files have, for `help tasks`
  std::string source = {};   // who made the data; empty for a task of the user's own files
  int64_t max_length = 128;

  FileShape shape = FileShape::records;
  std::vector<Positions> positions = {};  // of files without a header, by their number of fields
  std::vector<std::vector<std::string>> text_names =
      {};                                     // of columns, one list a text; empty: the usual names (columns.h)
  std::vector<std::string> label_names = {};  // the same of the label
  bool generates = false;                     // contrastive: also trained to write the other text (RoFormer-Sim)
  bool quoted_csv = true;                     // quotes in a file named .csv are syntax (RFC 4180), not text
};

// Generic tasks first, then those with names of their own.
const std::vector<Task>& all_tasks();
std::vector<std::string> task_names();
// Capitals, "-" and "_" do not matter ("sst2" is "sst-2"). UsageError that names the nearest one for others.
const Task& find_task(std::string_view name);

const char* kind_name(TaskKind kind);  // "pair-similarity"

}  // namespace roformer
