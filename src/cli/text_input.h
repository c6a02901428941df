// The texts a command works on: arguments, or lines of a file, or lines of standard input. UTF-8, one item a line.
// An empty line is an empty item, so that line n of the output belongs to line n of the input.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "inference/text_stream.h"
#include "text/text_file.h"

namespace roformer {

struct TextInput {
  std::vector<std::string> texts;  // positional; a single "-" means standard input
  std::string input;               // --input; "-" means standard input
};

void add_texts(OptionSet& options, TextInput& input);

// Lines of a descriptor, each available as soon as it was sent.
class DescriptorLines {
 public:
  // `name` starts messages. The descriptor stays open.
  DescriptorLines(int descriptor, std::string name, std::stop_token stop = {})
      : descriptor_(descriptor), name_(std::move(name)), stop_(std::move(stop)) {}

  // The next line without its "\n"; false at the end. Interrupted when a stop is requested while it waits;
  // DataError for a line longer than 16 MiB, behind which the next call goes on.
  bool next(std::string& line);
  // What was read of the text but not returned: at least `size` bytes, unless a line or the text ends before.
  std::string_view peek(size_t size);
  // Whether the next line, or the end, is available.
  bool ready();

 private:
  bool has_line();
  bool wait(int milliseconds) const;
  void read_more();
  void await_more();

  int descriptor_;
  std::string name_;
  std::stop_token stop_;
  std::string buffer_;
  size_t begin_ = 0;     // of the next line in buffer_
  size_t searched_ = 0;  // no "\n" from begin_ to this
  int64_t lines_ = 0;
  bool inside_line_ = false;  // in the rest of a line that was too long
  bool at_end_ = false;
};

// Reads item by item, so that an endless stream can be processed.
class TextReader final : public TextSource {
 public:
  // UsageError if both texts and a file are given, FileError if the file cannot be opened.
  explicit TextReader(const TextInput& input, std::stop_token stop = {});

  // False at the end. A byte-order mark at the start of a file and a carriage return at the end of a line are dropped.
  // DataError with the line for what is not UTF-8 or too long; the next call goes on behind it. A line of standard
  // input is available as soon as it was sent, unless it is compressed.
  bool next(std::string& text) override;
  bool ready() override { return !standard_input_ || standard_input_->ready(); }
  std::string location(int64_t number) const override;

  // Where the last item came from, to start a message: "FILE:12" or "text 3".
  std::string location() const { return location(count_); }
  int64_t count() const { return count_; }  // items read, so the number of the last one
  // The fraction of a file that has been read; empty if unknown.
  std::optional<double> share() const;
  // A person at a terminal types the texts.
  bool typed() const;

 private:
  void open_packed_input();

  std::vector<std::string> texts_;
  std::unique_ptr<TextFile> file_;
  std::optional<DescriptorLines> standard_input_;
  int64_t count_ = 0;
  int64_t file_size_ = 0;
};

}  // namespace roformer
