#include "cli/text_input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "text/unicode.h"

namespace roformer {
namespace {

constexpr size_t kMaxTextBytes = 16 << 20;

}  // namespace

void add_texts(OptionSet& options, TextInput& input) {
  options.add_positional("TEXT", input.texts, "Texts; without any, --input or standard input is read, one text a line");
  options.add("--input", input.input, "Read texts from this file, one a line; - is standard input", "FILE");
}

TextReader::TextReader(const TextInput& input) {
  if (!input.texts.empty() && !input.input.empty()) {
    throw UsageError("--input: expected either a file or texts, got both {} and {}", quote(input.input),
                     quote(input.texts[0]));
  }
  if (!input.texts.empty() && input.texts != std::vector<std::string>{"-"}) {
    texts_ = input.texts;
    return;
  }
  if (input.input.empty() || input.input == "-") {
    from_standard_input_ = true;
    if (isatty(STDIN_FILENO) == 1) std::cerr << "Type texts, one a line; end with Ctrl-D.\n";
    return;
  }
  file_ = std::make_unique<TextFile>(input.input);
}

bool TextReader::next(std::string& text) {
  if (file_ != nullptr) {
    std::string_view line;
    if (!file_->next_line(line)) return false;
    text = line;
    ++count_;
    return true;
  }
  if (from_standard_input_) {
    if (!next_line(text)) return false;
    if (count_ == 0 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    if (text.ends_with('\r')) text.pop_back();
  } else {
    if (count_ == static_cast<int64_t>(texts_.size())) return false;
    text = texts_[count_];
  }
  ++count_;
  require_utf8(text, place());
  return true;
}

bool TextReader::ready() const { return !from_standard_input_ || std::cin.rdbuf()->in_avail() > 0; }

// Byte by byte, so that a line is answered as soon as it is typed or sent.
bool TextReader::next_line(std::string& text) {
  constexpr int kEnd = std::char_traits<char>::eof();
  text.clear();
  std::streambuf& input = *std::cin.rdbuf();
  try {
    int c = input.sbumpc();
    if (c == kEnd) return false;
    for (; c != kEnd && c != '\n'; c = input.sbumpc()) {
      if (text.size() == kMaxTextBytes) {
        throw DataError("standard input:{}: line longer than {} bytes", count_ + 1, kMaxTextBytes);
      }
      text += static_cast<char>(c);
    }
  } catch (const std::ios_base::failure& failure) {
    throw FileError("standard input:{}: cannot be read: {}", count_ + 1, failure.code().message());
  }
  return true;
}

std::string TextReader::place(int64_t number) const {
  if (file_ != nullptr) return fmt::format("{}:{}", file_->path(), number);
  return fmt::format("{}{}", from_standard_input_ ? "standard input:" : "text ", number);
}

std::vector<std::string> read_texts(const TextInput& input) {
  TextReader reader(input);
  std::vector<std::string> texts;
  for (std::string text; reader.next(text);) texts.push_back(text);
  return texts;
}

}  // namespace roformer
