#include "text/byte_source.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "text/binary_file.h"

namespace roformer {

namespace {

constexpr size_t kBlock = size_t{1} << 20;

std::FILE* open_file(const std::string& path) {
  if (is_directory(path)) throw FileError("{}: is a directory, expected a file", FilePath(path));
  return open_stream(path);
}

std::FILE* open_descriptor(const std::string& name, int descriptor) {
  const int copy = ::dup(descriptor);
  std::FILE* stream = copy < 0 ? nullptr : ::fdopen(copy, "rb");
  if (stream == nullptr) {
    const int reason = errno;
    if (copy >= 0) ::close(copy);
    throw FileError("{}: cannot be read: {}", FilePath(name), std::strerror(reason));
  }
  return stream;
}

constexpr const char* kExpected = "expected a text file, plain or compressed with gzip, zstd, xz or bzip2";

void refuse_binary(std::string_view start, const std::string& path) {
  if (const BinaryFile* found = find_binary_file(start)) {
    throw DataError("{}: is {}, {}: {}", FilePath(path), found->name, kExpected, found->advice);
  }
}

void refuse_unpacked_binary(std::string_view start, const std::string& path, const char* format) {
  if (const BinaryFile* found = find_binary_file(start)) {
    throw DataError("{}: is {}, compressed with {}, {}: {}", FilePath(path), found->name, format, kExpected,
                    found->advice);
  }
  if (const PackedFormat* inner = find_packed_format(start)) {
    throw DataError("{}: is {} data, compressed again with {}, {}: unpack it first", FilePath(path), inner->name,
                    format, kExpected);
  }
}

}  // namespace

ByteSource::ByteSource(std::string path) : path_(std::move(path)), file_(open_file(path_)) {}

ByteSource::ByteSource(std::string name, int descriptor, std::string start)
    : path_(std::move(name)), file_(open_descriptor(path_, descriptor)), raw_(std::move(start)) {}

bool ByteSource::read_raw(std::string& buffer) {
  if (raw_at_end_) return false;
  const size_t before = buffer.size();
  buffer.resize(before + kBlock);
  const size_t count = std::fread(buffer.data() + before, 1, kBlock, file_.get());
  if (count < kBlock && std::ferror(file_.get()))
    throw FileError("{}: cannot read: {}", FilePath(path_), std::strerror(errno));
  buffer.resize(before + count);
  raw_at_end_ = count < kBlock;
  return count > 0;
}

void ByteSource::start() {
  started_ = true;
  read_raw(raw_);
  format_ = find_packed_format(raw_);
  if (format_ == nullptr) return refuse_binary(raw_, path_);
  unpacker_ = format_->make_unpacker();
}

// Whether another member follows; skips padding.
bool ByteSource::find_member(size_t& consumed) {
  while (true) {
    consumed = std::min(raw_.find_first_not_of('\0', consumed), raw_.size());
    if (raw_.size() - consumed >= kMemberStart || raw_at_end_) break;
    raw_.erase(0, consumed);
    consumed = 0;
    read_raw(raw_);
  }
  const std::string_view rest = std::string_view(raw_).substr(consumed);
  if (rest.empty()) return false;
  if (!format_->starts_member(rest)) {
    const BinaryFile* binary = find_binary_file(rest);
    const PackedFormat* packed = find_packed_format(rest);
    throw DataError("{}: the {} data is followed by {}, expected more {} data or the end of the file", FilePath(path_),
                    format_->name,
                    packed   ? fmt::format("{} data", packed->name)
                    : binary ? binary->name
                             : "something else",
                    format_->name);
  }
  return true;
}

void ByteSource::unpack(std::string& buffer) {
  const size_t before = buffer.size();
  buffer.resize(before + kBlock);
  size_t made = 0, consumed = 0;
  while (made < kBlock) {
    if (consumed == raw_.size()) {
      raw_.clear();
      consumed = 0;
      read_raw(raw_);
    }
    if (between_members_ && !find_member(consumed)) break;
    const auto progress =
        unpacker_->unpack(std::string_view(raw_).substr(consumed), buffer.data() + before + made, kBlock - made, path_);
    if (raw_.empty() && progress.made == 0 && !progress.between_members) {
      throw DataError("{}: the compressed data is truncated", FilePath(path_));
    }
    consumed += progress.consumed;
    made += progress.made;
    between_members_ = progress.between_members;
  }
  raw_.erase(0, consumed);
  buffer.resize(before + made);
}

bool ByteSource::read(std::string& buffer) {
  if (!started_) start();
  if (!unpacker_) {
    if (raw_.empty()) return read_raw(buffer);
    buffer += raw_;
    raw_.clear();
    return true;
  }
  const size_t before = buffer.size();
  unpack(buffer);
  if (!checked_unpacked_) refuse_unpacked_binary(std::string_view(buffer).substr(before), path_, format_->name);
  checked_unpacked_ = true;
  return buffer.size() > before;
}

bool ByteSource::plain_file() const {
  struct stat status;
  return started_ && !unpacker_ && ::fstat(::fileno(file_.get()), &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace roformer
