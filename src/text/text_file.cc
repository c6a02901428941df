#include "text/text_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "text/unicode.h"

namespace roformer {

namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr size_t kLongestLine = size_t{1} << 30;  // bounds the memory an endless device or pipe can take

std::FILE* open_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw FileError("{}: is a directory, expected a file", path);
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) throw FileError("{}: cannot open: {}", path, std::strerror(errno));
  return file;
}

}  // namespace

TextFile::TextFile(std::string path) : path_(std::move(path)), file_(open_file(path_)) {}

bool TextFile::read_block() {
  if (at_end_) return false;
  buffer_.erase(0, position_);
  position_ = 0;
  const size_t old_size = buffer_.size();
  buffer_.resize(old_size + kBlock);
  const size_t count = std::fread(buffer_.data() + old_size, 1, kBlock, file_.get());
  if (count < kBlock && std::ferror(file_.get())) throw FileError("{}: cannot read: {}", path_, std::strerror(errno));
  buffer_.resize(old_size + count);
  at_end_ = count < kBlock;
  if (observer_ && count > 0) observer_(std::string_view(buffer_).substr(old_size));
  return count > 0;
}

bool TextFile::next_line(std::string_view& line) {
  size_t searched = position_, end;
  while ((end = buffer_.find('\n', searched)) == std::string::npos) {
    const size_t pending = buffer_.size() - position_;
    if (pending > kLongestLine) {
      throw DataError("{}:{}: line longer than {} bytes", path_, line_number_ + 1, kLongestLine);
    }
    if (!read_block()) break;
    searched = position_ + pending;
  }
  if (end == std::string::npos && position_ == buffer_.size()) return false;
  line = std::string_view(buffer_).substr(position_, end == std::string::npos ? end : end - position_);
  position_ = end == std::string::npos ? buffer_.size() : end + 1;
  ++line_number_;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line_number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  const size_t bad = find_invalid_utf8(line);
  if (bad != kValidUtf8) throw DataError("{}:{}: not valid UTF-8 at byte {} of the line", path_, line_number_, bad);
  if (line.find('\0') != std::string_view::npos) {
    throw DataError("{}:{}: holds a NUL byte, expected a text file", path_, line_number_);
  }
  return true;
}

}  // namespace roformer
