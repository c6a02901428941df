#include "data/text_blocks.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/text_file.h"
#include "text/unicode.h"

namespace roformer {

// Decompressed text in an unnamed file, which disappears with the process.
class TextBlocks::Spool {
 public:
  Spool() {
    const char* directory = std::getenv("TMPDIR");
    const std::string path = temporary_name(join_path(directory && *directory ? directory : "/var/tmp", "text"));
    writer_ = std::make_unique<FileWriter>(path, FileWriter::Mode::create_new);
    reader_ = std::make_unique<RandomAccessFile>(path);
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  void write(std::string_view bytes) { writer_->write(bytes); }
  int64_t size() const { return writer_->written(); }
  void finish() { writer_->close(); }
  void read(int64_t offset, char* out, int64_t size) const { reader_->read(offset, out, size); }

 private:
  std::unique_ptr<FileWriter> writer_;
  std::unique_ptr<RandomAccessFile> reader_;
};

// Reads the files once and fills in the rest.
class TextBlocks::Scanner {
 public:
  Scanner(TextBlocks& result, int64_t block_bytes, const std::stop_token& stop)
      : result_(result), block_bytes_(block_bytes), stop_(stop) {}

  void scan(const std::string& path) {
    result_.sources_.push_back({.path = path});
    Source& source = result_.sources_.back();
    TextFile file(path);
    int64_t size = 0;
    bool first = true;
    file.observe([&](std::string_view bytes) {
      if (stop_.stop_requested()) throw Interrupted("stopped while reading text");
      hash_.update(bytes.data(), static_cast<int64_t>(bytes.size()));
      size += static_cast<int64_t>(bytes.size());
      if (std::exchange(first, false)) source.spooled = !file.plain_file();
      if (source.spooled) spool().write(bytes);
    });
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) {
      const RandomAccessFile status(path);
      source.size = status.size();
      source.modified = status.modified();
    }
    lines_ = 0;
    has_tags_ = false;
    const int64_t documents = result_.documents_;
    read_lines(file, size);
    if (result_.documents_ == documents + 1) note_undivided(path);
    hash_.update(&size, sizeof size);  // so that file boundaries count
    result_.bytes_ += size;
  }

  void finish() {
    if (block_.segments.empty()) return;
    result_.blocks_.push_back(std::move(block_));
  }
  std::string hash() const { return hash_.hex(); }

 private:
  Spool& spool() {
    if (!result_.spool_) result_.spool_ = std::make_unique<Spool>();
    return *result_.spool_;
  }

  void read_lines(TextFile& file, const int64_t& size) {
    const int64_t base = result_.spool_ ? result_.spool_->size() : 0;
    const auto source_offset = [&](int64_t offset) { return result_.sources_.back().spooled ? base + offset : offset; };
    DocumentState state, at_start;
    int64_t begin = 0;
    const auto cut = [&](int64_t end, bool ends_file) {
      block_.segments.push_back(
          {result_.sources_.size() - 1, source_offset(begin), source_offset(end), begin == 0, ends_file, at_start});
      bytes_before_ += end - begin;
      begin = end;
      at_start = state;
    };
    for (TextFile::Part part; file.next_part(part);) {
      const LineEffect effect = read_part(state, result_.rule_, part.text, part.starts_line, part.ends_line);
      lines_ += effect.is_text && part.ends_line && !is_blank(part.text);
      has_tags_ = has_tags_ || state.inside_tags;
      if (effect.ends_document) end_document(state);
      const int64_t block_size = bytes_before_ + file.offset() - begin;
      if (block_size < block_bytes_ || (state.open && block_size < 2 * block_bytes_)) continue;
      cut(file.offset(), false);
      finish();
      block_ = {};
      bytes_before_ = 0;
    }
    end_document(state);
    if (begin < size) {
      cut(size, true);
    } else if (size > 0) {  // the last block ended right here
      result_.blocks_.back().segments.back().ends_file = true;
    }
  }

  void end_document(DocumentState& state) {
    if (state.has_text) ++result_.documents_;
    close(state);
  }

  void note_undivided(const std::string& path) {
    if (result_.rule_ != DocumentRule::automatic || has_tags_ || lines_ < UndividedFile::kManyLines) return;
    if (!result_.undivided_) result_.undivided_ = {path, lines_};
  }

  TextBlocks& result_;
  int64_t block_bytes_;
  const std::stop_token& stop_;
  int64_t bytes_before_ = 0;  // preceding block_ in its file
  Block block_;
  int64_t lines_ = 0;      // with text, of the file that is read
  bool has_tags_ = false;  // of it
  Hasher hash_;
};

TextBlocks::TextBlocks(std::span<const std::string> paths, DocumentRule rule, int64_t block_bytes,
                       const std::stop_token& stop)
    : rule_(rule) {
  const std::vector<std::string> files = expand_directories(paths);
  Scanner scanner(*this, block_bytes, stop);
  for (const std::string& path : files) scanner.scan(path);
  scanner.finish();
  if (spool_) spool_->finish();
  content_hash_ = scanner.hash();
  if (documents_ == 0) {
    throw DataError("{}: no text in {} file(s) of {} bytes", paths.empty() ? FilePath("", "data") : FilePath(paths[0]),
                    files.size(), bytes_);
  }
}

TextBlocks::~TextBlocks() = default;

std::vector<std::string> TextBlocks::read(int64_t block) const {
  std::vector<std::string> documents;
  std::string bytes;
  for (const Segment& segment : blocks_.at(static_cast<size_t>(block)).segments) {
    const Source& source = sources_[segment.source];
    bytes.resize(static_cast<size_t>(segment.end - segment.begin));
    if (source.spooled) {
      spool_->read(segment.begin, bytes.data(), std::ssize(bytes));
    } else {
      const RandomAccessFile file(source.path);
      if (file.size() != source.size || file.modified() != source.modified) {
        throw FileError("'{}' has changed while it was in use", FilePath(source.path));
      }
      file.read(segment.begin, bytes.data(), std::ssize(bytes));
    }
    std::string_view text = bytes;
    if (segment.starts_file && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    read_documents(text, rule_, segment.state, segment.ends_file,
                   [&](std::string&& document) { documents.push_back(std::move(document)); });
  }
  return documents;
}

}  // namespace roformer
