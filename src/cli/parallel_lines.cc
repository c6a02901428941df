#include "cli/parallel_lines.h"

#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

bool is_standard_input(const TextInput& input) {
  if (!input.input.empty()) return input.input == "-";
  return input.texts.empty() || (input.texts.size() == 1 && input.texts[0] == "-");
}

int64_t count_lines(const std::string& path) {
  TextReader reader({.texts = {}, .input = path});
  for (std::string line; reader.next(line);) continue;
  return reader.count();
}

}  // namespace

ParallelLines::ParallelLines(const TextInput& input, std::string file, std::string what)
    : file_(std::move(file)), what_(std::move(what)), reader_({.texts = {}, .input = file_}) {
  const bool piped = file_ == "-";
  if (piped && is_standard_input(input)) throw UsageError("only one of the files can be standard input");
  if (piped || input.input.empty() || input.input == "-") return;
  const int64_t lines = count_lines(input.input), own = count_lines(file_);
  if (lines == own) return;
  throw DataError("{} has {}, {} has {}: expected {} of each line", FilePath(input.input), counted(lines, "line"),
                  FilePath(file_), counted(own, "line"), what_);
}

std::string ParallelLines::next() {
  std::string line;
  if (!reader_.next(line)) {
    throw DataError("{} has {}, the input more: expected {} of each line", FilePath(file_),
                    counted(reader_.count(), "line"), what_);
  }
  return line;
}

void ParallelLines::finish() {
  const int64_t lines = reader_.count();
  std::string more;
  if (!reader_.next(more)) return;
  throw DataError("{} has more lines than the input's {}: expected {} of each line", FilePath(file_), lines, what_);
}

}  // namespace roformer
