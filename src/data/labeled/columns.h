// Which columns of a file hold an example's texts and label: those the user names, the task's, or the usual names.
//
// Usual names, compared without regard to capitals, "_", "-" and spaces: for one text text, sentence, content, review,
// …; for two sentence1 and sentence2, premise and hypothesis, question1 and question2, …; for a label label, labels,
// gold_label, …, else class, category, …; for a number score, similarity, label, …. Where several fit, the user is to
// choose.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/labeled/labeled_file.h"

namespace roformer {

// Indices of columns.
struct Roles {
  std::vector<size_t> texts = {};    // as many as the task takes
  std::vector<size_t> choices = {};  // a column each, or one whose cells are lists
  std::optional<size_t> label = {}, id = {};
  std::optional<size_t> least_fields = {};  // of a row, which may have more; empty: as many as the first
};

struct ColumnRequest {
  const Task& task;
  const ReadOptions& options;
  const std::string& path;
  std::span<const std::string> names;  // the fields of the first line; empty: they are no names
  size_t count = 0;                    // of columns; they can be given by number. 0: by name only (JSON)
};

// DataError that names the columns found if one is missing, or if several could be meant.
Roles choose_columns(const ColumnRequest& request);

// Whether these seem to be names of columns: one that the user gives is among them, or usual names of all texts, or, if
// the task does not say where files without a header have what, that of a label.
bool are_column_names(const ColumnRequest& request);

// Of a file without a header, if the options or the task say where its columns are; else a DataError.
Roles choose_positions(const ColumnRequest& request);

// Of a file whose structure is fixed: UsageError if a column is chosen, with `why` behind its field.
void refuse_columns(const ReadOptions& options, std::string_view why);

}  // namespace roformer
