#include "cli/text_input.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/binary_file.h"
#include "text/unpacker.h"

namespace roformer {
namespace {

constexpr size_t kMaxTextBytes = 16 << 20;
constexpr size_t kBlock = 1 << 16;

}  // namespace

void add_texts(OptionSet& options, TextInput& input) {
  options.add_positional("TEXT", input.texts,
                         "Texts; if there are none, --input or standard input is read, one text per line");
  options.add("--input", input.input, "Read texts from this file, one per line; - is standard input", "FILE");
}

// Whether buffer_ holds a whole line from begin_ on; searched_ is then the offset of its end.
bool DescriptorLines::has_line() {
  searched_ = std::min(buffer_.find('\n', searched_), buffer_.size());
  return searched_ < buffer_.size();
}

// Whether there is something to read, or the end, before the timeout.
bool DescriptorLines::wait(int milliseconds) const {
  pollfd descriptor{descriptor_, POLLIN, 0};
  return ::poll(&descriptor, 1, milliseconds) != 0;
}

void DescriptorLines::read_more() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  if (buffer_.size() > kMaxTextBytes) {
    buffer_.clear();
    searched_ = 0;
    inside_line_ = true;
    throw DataError("{}:{}: line longer than {} bytes", FilePath(name_), LineNumber(++lines_), kMaxTextBytes);
  }
  const size_t before = buffer_.size();
  buffer_.resize(before + kBlock);
  ssize_t count;
  do {
    count = ::read(descriptor_, buffer_.data() + before, kBlock);
  } while (count < 0 && errno == EINTR);
  const int reason = errno;
  buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0) {
    throw FileError("{}:{}: cannot be read: {}", FilePath(name_), LineNumber(lines_ + 1),
                    std::generic_category().message(reason));
  }
  at_end_ = count == 0;
  if (!inside_line_) return;
  const size_t end = buffer_.find('\n');
  inside_line_ = end == std::string::npos;
  buffer_.erase(0, inside_line_ ? end : end + 1);
}

bool DescriptorLines::ready() {
  while (!has_line() && !at_end_ && buffer_.size() - begin_ <= kMaxTextBytes) {
    if (!wait(0)) return false;
    read_more();
  }
  return true;
}

void DescriptorLines::await_more() {
  constexpr int kPollInterval = 100;  // milliseconds until a request to stop is noticed
  while (!wait(kPollInterval)) {
    if (stop_.stop_requested()) throw Interrupted("interrupted");
  }
  read_more();
}

std::string_view DescriptorLines::peek(size_t size) {
  while (buffer_.size() - begin_ < size && !has_line() && !at_end_) await_more();
  return std::string_view(buffer_).substr(begin_);
}

bool DescriptorLines::next(std::string& line) {
  while (!has_line() && !at_end_) await_more();
  if (begin_ == buffer_.size()) return false;
  const size_t length = searched_ - begin_;
  if (length <= kMaxTextBytes) line.assign(buffer_, begin_, length);
  begin_ = searched_ = std::min(searched_ + 1, buffer_.size());
  ++lines_;
  if (length > kMaxTextBytes) {
    throw DataError("{}:{}: line longer than {} bytes", FilePath(name_), LineNumber(lines_), kMaxTextBytes);
  }
  return true;
}

TextReader::TextReader(const TextInput& input, std::stop_token stop) {
  if (!input.texts.empty() && !input.input.empty()) {
    throw InapplicableError("{}: expected either a file or texts, got both {} and {}", FieldName("input"),
                            quote(input.input), quote(input.texts[0]));
  }
  if (!input.texts.empty() && input.texts != std::vector<std::string>{"-"}) {
    texts_ = input.texts;
    return;
  }
  if (input.input.empty() || input.input == "-") {
    standard_input_.emplace(STDIN_FILENO, "standard input", std::move(stop));
    if (typed()) std::cerr << "Type texts, one per line; end with Ctrl-D.\n";
    return;
  }
  file_ = std::make_unique<TextFile>(input.input);
  std::error_code no_file;
  const auto size = std::filesystem::file_size(input.input, no_file);
  if (!no_file) file_size_ = static_cast<int64_t>(size);
}

// Standard input that begins as no text does is read, or refused, as a file is.
void TextReader::open_packed_input() {
  const std::string_view start = standard_input_->peek(kMemberStart);
  if (find_packed_format(start) == nullptr && find_binary_file(start) == nullptr) return;
  file_ = std::make_unique<TextFile>("standard input", STDIN_FILENO, std::string(start));
  standard_input_.reset();
}

bool TextReader::next(std::string& text) {
  if (standard_input_ && count_ == 0) {
    open_packed_input();
  }
  if (file_ != nullptr) {
    std::string_view line;
    if (!file_->next_line(line)) return false;
    text = line;
    ++count_;
    return true;
  }
  if (standard_input_) {
    if (!standard_input_->ready()) std::cout.flush();  // whoever sends the texts may wait for results
    if (!standard_input_->next(text)) return false;
    if (count_ == 0 && text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
    if (text.ends_with('\r')) text.pop_back();
  } else {
    if (count_ == static_cast<int64_t>(texts_.size())) return false;
    text = texts_[static_cast<size_t>(count_)];
  }
  ++count_;
  require_utf8(text, location());
  if (text.find('\0') != std::string::npos) throw DataError("{}: holds a NUL byte, expected text", location());
  return true;
}

std::string TextReader::location(int64_t number) const {
  if (file_ != nullptr) return fmt::format("{}:{}", file_->path(), number);
  return fmt::format("{}{}", standard_input_ ? "standard input:" : "text ", number);
}

std::optional<double> TextReader::share() const {
  if (file_ == nullptr || file_size_ <= 0 || !file_->plain_file()) return std::nullopt;
  return std::min(1.0, static_cast<double>(file_->offset()) / static_cast<double>(file_size_));
}

bool TextReader::typed() const { return standard_input_ && isatty(STDIN_FILENO) == 1; }

}  // namespace roformer
