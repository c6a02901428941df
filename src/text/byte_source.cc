#include "text/byte_source.h"

#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace roformer {

namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr std::string_view kGzipStart = "\x1F\x8B", kZstandardStart = "\x28\xB5\x2F\xFD";

std::FILE* open_file(const std::string& path) {
  if (is_directory(path)) throw FileError("{}: is a directory, expected a file", FilePath(path));
  return open_stream(path);
}

}  // namespace

// Decompresses incrementally.
class ByteSource::Unpacker {
 public:
  virtual ~Unpacker() = default;
  struct Progress {
    size_t consumed = 0, made = 0;
    bool between_members = false;  // the compressed data may end here
  };
  // Consumes bytes of `packed` and writes at most `capacity` bytes to `out`.
  virtual Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) = 0;
};

class ByteSource::Gzip final : public Unpacker {
 public:
  Gzip() {
    constexpr int kWindow = 15, kGzipOnly = 16;
    if (inflateInit2(&stream_, kWindow + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() override { inflateEnd(&stream_); }

  Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(capacity);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      throw DataError("{}: corrupt gzip data: {}", FilePath(path), stream_.msg ? stream_.msg : "unknown error");
    }
    if (status == Z_STREAM_END) inflateReset(&stream_);
    return {packed.size() - stream_.avail_in, capacity - stream_.avail_out, status == Z_STREAM_END};
  }

 private:
  z_stream stream_{};
};

class ByteSource::Zstandard final : public Unpacker {
 public:
  Zstandard() : stream_(ZSTD_createDStream()) {
    if (!stream_) throw std::bad_alloc();
  }

  Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) override {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer made{out, capacity, 0};
    const size_t status = ZSTD_decompressStream(stream_.get(), &made, &in);
    if (ZSTD_isError(status)) throw DataError("{}: corrupt zstd data: {}", FilePath(path), ZSTD_getErrorName(status));
    return {in.pos, made.pos, status == 0};
  }

 private:
  struct Deleter {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Deleter> stream_;
};

ByteSource::ByteSource(std::string path) : path_(std::move(path)), file_(open_file(path_)) {}
ByteSource::~ByteSource() = default;

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
  if (raw_.starts_with(kGzipStart)) unpacker_ = std::make_unique<Gzip>();
  if (raw_.starts_with(kZstandardStart)) unpacker_ = std::make_unique<Zstandard>();
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
  buffer.resize(before + kBlock);
  size_t made = 0, consumed = 0;
  while (made < kBlock) {
    if (consumed == raw_.size()) {
      raw_.clear();
      consumed = 0;
      read_raw(raw_);
    }
    if (raw_.empty() && between_members_) break;
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
  return made > 0;
}

bool ByteSource::plain_file() const {
  struct stat status;
  return started_ && !unpacker_ && ::fstat(::fileno(file_.get()), &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace roformer
