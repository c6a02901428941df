#include "text/text_file.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/utf8.h"

namespace roformer {

namespace {

constexpr size_t kLongestLine = size_t{1} << 30;  // bounds memory for endless devices and pipes

// The length of the longest prefix of `text` of at most `size` bytes that ends between code points.
size_t whole_code_points(std::string_view text, size_t size) {
  constexpr size_t kLongestCodePoint = 4;
  for (size_t end = size; end + kLongestCodePoint > size; --end) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80) return end;
  }
  return size;  // not UTF-8: reported by the caller
}

}  // namespace

bool TextFile::read_block() {
  buffer_.erase(0, position_);
  buffer_offset_ += static_cast<int64_t>(position_);
  position_ = 0;
  const size_t old_size = buffer_.size();
  if (!source_.read(buffer_)) return false;
  if (observer_) observer_(std::string_view(buffer_).substr(old_size));
  return true;
}

bool TextFile::next(Part& part, size_t longest) {
  size_t searched = position_, end;
  bool cut = false;
  while ((end = buffer_.find('\n', searched)) == std::string::npos) {
    const size_t pending = buffer_.size() - position_;
    cut = pending > longest;
    if (cut || !read_block()) break;
    searched = position_ + pending;
  }
  if (end == std::string::npos && position_ == buffer_.size()) return false;
  const size_t stop = std::min(end, buffer_.size());
  std::string_view line = std::string_view(buffer_).substr(position_, stop - position_);
  cut = cut || line.size() > longest;
  part.starts_line = !inside_line_;
  part.ends_line = !cut;
  if (cut) line = line.substr(0, whole_code_points(line, longest));
  position_ += line.size() + (!cut && stop < buffer_.size() ? 1 : 0);
  inside_line_ = cut;
  if (part.starts_line) ++line_number_;
  if (!cut && !line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line_number_ == 1 && part.starts_line && line.starts_with(kByteOrderMark)) line.remove_prefix(3);
  const size_t bad = find_invalid_utf8(line);
  if (bad != kValidUtf8) {
    throw DataError("{}:{}: not valid UTF-8 at byte {} of the {}", FilePath(path()), LineNumber(line_number_), bad,
                    part.starts_line ? "line" : "line's next part");
  }
  if (line.find('\0') != std::string_view::npos) {
    throw DataError("{}:{}: holds a NUL byte, expected a text file", FilePath(path()), LineNumber(line_number_));
  }
  part.text = line;
  return true;
}

// Leaves a line of which a part was read.
void TextFile::skip_line() {
  size_t end;
  while ((end = buffer_.find('\n', position_)) == std::string::npos) {
    position_ = buffer_.size();
    if (!read_block()) break;
  }
  if (end != std::string::npos) position_ = end + 1;
  inside_line_ = false;
}

bool TextFile::next_line(std::string_view& line) {
  if (inside_line_) skip_line();
  Part part;
  if (!next(part, kLongestLine)) return false;
  if (!part.ends_line)
    throw DataError("{}:{}: line longer than {} bytes", FilePath(path()), LineNumber(line_number_), kLongestLine);
  line = part.text;
  return true;
}

bool TextFile::next_part(Part& part) { return next(part, kLongLine); }

std::vector<std::string> expand_directories(std::span<const std::string> paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const size_t first = files.size();
    fs::recursive_directory_iterator entry(path, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      const bool hidden = entry->path().filename().native().starts_with('.');
      std::error_code ignored;
      if (hidden) entry.disable_recursion_pending();
      if (!hidden && entry->is_regular_file(ignored)) files.push_back(entry->path().string());
    }
    if (error) throw FileError("cannot read the directory '{}': {}", FilePath(path), error.message());
    if (files.size() == first) throw FileError("{}: is a directory without files", FilePath(path));
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
  }
  return files;
}

}  // namespace roformer
