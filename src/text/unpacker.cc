#include "text/unpacker.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <new>

#include "base/error.h"

namespace roformer {

namespace {

class Gzip final : public Unpacker {
 public:
  Gzip() {
    constexpr int kWindow = 15, kGzipOnly = 16;
    if (inflateInit2(&stream_, kWindow + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
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

class Zstandard final : public Unpacker {
 public:
  Zstandard() : stream_(ZSTD_createDStream()) {
    if (!stream_) throw std::bad_alloc();
  }

  Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) override {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer made{out, capacity, 0};
    const size_t status = ZSTD_decompressStream(stream_.get(), &made, &in);
    if (ZSTD_isError(status)) fail(ZSTD_getErrorCode(status), path);
    return {in.pos, made.pos, status == 0};
  }

 private:
  [[noreturn]] static void fail(ZSTD_ErrorCode code, const std::string& path) {
    switch (code) {
      case ZSTD_error_memory_allocation: throw std::bad_alloc();
      case ZSTD_error_frameParameter_windowTooLarge:
        throw DataError("{}: zstd data with a window of more than 128 MiB: unpack it first (zstd -d --long=31)",
                        FilePath(path));
      case ZSTD_error_dictionary_wrong:
        throw DataError("{}: zstd data compressed with a dictionary: unpack it first", FilePath(path));
      default: throw DataError("{}: corrupt zstd data: {}", FilePath(path), ZSTD_getErrorString(code));
    }
  }

  struct Deleter {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Deleter> stream_;
};

// xz, and the older format of lzma alone.
class Lzma final : public Unpacker {
 public:
  using Begin = lzma_ret (*)(lzma_stream*);
  Lzma(const char* name, Begin begin) : name_(name), begin_(begin) {}
  Lzma(const Lzma&) = delete;
  Lzma& operator=(const Lzma&) = delete;
  ~Lzma() override { lzma_end(&stream_); }

  Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) override {
    if (!inside_) check(begin_(&stream_), path);
    inside_ = true;
    stream_.next_in = reinterpret_cast<const uint8_t*>(packed.data());
    stream_.avail_in = packed.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(out);
    stream_.avail_out = capacity;
    const lzma_ret status = lzma_code(&stream_, LZMA_RUN);
    check(status, path);
    inside_ = status != LZMA_STREAM_END;
    return {packed.size() - stream_.avail_in, capacity - stream_.avail_out, !inside_};
  }

  static lzma_ret begin_xz(lzma_stream* stream) { return lzma_stream_decoder(stream, kUnpackingMemory, 0); }
  static lzma_ret begin_alone(lzma_stream* stream) { return lzma_alone_decoder(stream, kUnpackingMemory); }

 private:
  void check(lzma_ret status, const std::string& path) const {
    switch (status) {
      case LZMA_OK:
      case LZMA_STREAM_END:
      case LZMA_BUF_ERROR: return;  // bytes are missing
      case LZMA_MEM_ERROR: throw std::bad_alloc();
      case LZMA_MEMLIMIT_ERROR:
        throw DataError("{}: {} data that takes {} MiB of memory to unpack, at most {} are allowed: unpack it first",
                        FilePath(path), name_, lzma_memusage(&stream_) >> 20, kUnpackingMemory >> 20);
      case LZMA_OPTIONS_ERROR: throw DataError("{}: {} data with unsupported options", FilePath(path), name_);
      default: throw DataError("{}: corrupt {} data", FilePath(path), name_);
    }
  }

  const char* name_;
  Begin begin_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool inside_ = false;  // a member
};

class Bzip2 final : public Unpacker {
 public:
  Bzip2() = default;
  Bzip2(const Bzip2&) = delete;
  Bzip2& operator=(const Bzip2&) = delete;
  ~Bzip2() override { end(); }

  Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) override {
    if (!inside_) begin();
    stream_.next_in = const_cast<char*>(packed.data());
    stream_.avail_in = static_cast<unsigned>(packed.size());
    stream_.next_out = out;
    stream_.avail_out = static_cast<unsigned>(capacity);
    const int status = BZ2_bzDecompress(&stream_);
    if (status == BZ_MEM_ERROR) throw std::bad_alloc();
    if (status != BZ_OK && status != BZ_STREAM_END) throw DataError("{}: corrupt bzip2 data", FilePath(path));
    const Progress progress{packed.size() - stream_.avail_in, capacity - stream_.avail_out, status == BZ_STREAM_END};
    if (progress.between_members) end();
    return progress;
  }

 private:
  void begin() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
    inside_ = true;
  }
  void end() {
    if (inside_) BZ2_bzDecompressEnd(&stream_);
    inside_ = false;
  }

  bz_stream stream_{};
  bool inside_ = false;  // a member
};

constexpr std::string_view kGzipStart = "\x1F\x8B", kZstandardStart = "\x28\xB5\x2F\xFD",
                           kXzStart =
                               "\xFD"
                               "7zXZ";
constexpr std::string_view kLzmaStart("\x5D\0\0", 3);  // the usual properties, a dictionary of whole 64 KiB

bool starts_gzip(std::string_view bytes) { return bytes.starts_with(kGzipStart); }
bool starts_xz(std::string_view bytes) { return bytes.starts_with(kXzStart); }
bool starts_lzma(std::string_view bytes) { return bytes.starts_with(kLzmaStart); }

// A frame, or one of the skippable frames that pzstd and others put before frames.
bool starts_zstandard(std::string_view bytes) {
  const bool skippable = bytes.size() >= 4 && (bytes[0] & 0xF0) == 0x50 && bytes.substr(1, 3) == "\x2A\x4D\x18";
  return skippable || bytes.starts_with(kZstandardStart);
}

// "BZh", the block size, and the digits of π that begin a block or those of √π that end a stream.
bool starts_bzip2(std::string_view bytes) {
  constexpr size_t kHeader = 4;
  if (bytes.size() < kHeader || !bytes.starts_with("BZh") || bytes[3] < '1' || bytes[3] > '9') return false;
  const std::string_view digits = bytes.substr(kHeader, kMemberStart - kHeader);
  const auto begins = [&](std::string_view number) { return number.starts_with(digits); };
  return begins("\x31\x41\x59\x26\x53\x59") || begins("\x17\x72\x45\x38\x50\x90");
}

template <typename Type>
std::unique_ptr<Unpacker> make() {
  return std::make_unique<Type>();
}

constexpr PackedFormat kPackedFormats[] = {
    {"gzip", starts_gzip, make<Gzip>},
    {"zstd", starts_zstandard, make<Zstandard>},
    {"xz", starts_xz, []() -> std::unique_ptr<Unpacker> { return std::make_unique<Lzma>("xz", Lzma::begin_xz); }},
    {"lzma", starts_lzma,
     []() -> std::unique_ptr<Unpacker> { return std::make_unique<Lzma>("lzma", Lzma::begin_alone); }},
    {"bzip2", starts_bzip2, make<Bzip2>},
};

}  // namespace

const PackedFormat* find_packed_format(std::string_view bytes) {
  const auto* found =
      std::ranges::find_if(kPackedFormats, [&](const auto& format) { return format.starts_member(bytes); });
  return found == std::end(kPackedFormats) ? nullptr : found;
}

}  // namespace roformer
