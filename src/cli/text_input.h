// The texts a command works on: arguments, or lines of a file, or lines of standard input. UTF-8, one item a line.
// An empty line is an empty item, so that line n of the output belongs to line n of the input.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "text/text_file.h"

namespace roformer {

struct TextInput {
  std::vector<std::string> texts;  // positional; a single "-" means standard input
  std::string input;               // --input; "-" means standard input
};

void add_texts(OptionSet& options, TextInput& input);

// Reads item by item, so that an endless stream can be worked on.
class TextReader {
 public:
  // UsageError if both texts and a file are given, FileError if the file cannot be opened.
  explicit TextReader(const TextInput& input);

  // False at the end. A byte-order mark at the start of a file and a carriage return at the end of a line are dropped.
  // DataError with the line for what is not UTF-8 or too long. A line of standard input is there as soon as it was
  // sent.
  bool next(std::string& text);

  // Whether next() can answer, or has begun to, without waiting for somebody to send more.
  bool ready() const;

  // Where the last item came from, to start a message: "FILE:12" or "text 3".
  std::string place() const { return place(count_); }
  // The same of the item of that number, from 1; one that was read.
  std::string place(int64_t number) const;
  int64_t count() const { return count_; }  // items read, so the number of the last one

 private:
  bool next_line(std::string& text);

  std::vector<std::string> texts_;
  std::unique_ptr<TextFile> file_;
  bool from_standard_input_ = false;
  int64_t count_ = 0;
};

// All items at once, for commands that need them together.
std::vector<std::string> read_texts(const TextInput& input);

}  // namespace roformer
