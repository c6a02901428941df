// Texts compressed in each format that is read.
#pragma once

#include <bzlib.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace roformer {

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16, kMemory = 8;
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline std::string zstandard(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  const size_t size = ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1);
  EXPECT_FALSE(ZSTD_isError(size));
  packed.resize(size);
  return packed;
}

// A zstd frame that holds no text, as pzstd puts before each of its frames. `kind` is 0 to 15.
inline std::string skippable_frame(char kind, const std::string& content) {
  std::string frame = {static_cast<char>(0x50 | kind), '\x2A', '\x4D', '\x18'};
  for (int shift = 0; shift < 32; shift += 8) frame += static_cast<char>(content.size() >> shift);
  return frame + content;
}

// What `stream` makes of a text.
inline std::string lzma_packed(lzma_stream stream, const std::string& text) {
  std::string packed(lzma_stream_buffer_bound(text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<const uint8_t*>(text.data());
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<uint8_t*>(packed.data());
  stream.avail_out = packed.size();
  EXPECT_EQ(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
  packed.resize(stream.total_out);
  lzma_end(&stream);
  return packed;
}

inline std::string xz(const std::string& text, lzma_check check = LZMA_CHECK_CRC64) {
  lzma_stream stream = LZMA_STREAM_INIT;
  EXPECT_EQ(lzma_easy_encoder(&stream, 1, check), LZMA_OK);
  return lzma_packed(stream, text);
}

// The format of lzma alone, before xz.
inline std::string lzma_alone(const std::string& text) {
  lzma_stream stream = LZMA_STREAM_INIT;
  lzma_options_lzma options;
  EXPECT_FALSE(lzma_lzma_preset(&options, 1));
  EXPECT_EQ(lzma_alone_encoder(&stream, &options), LZMA_OK);
  return lzma_packed(stream, text);
}

inline std::string bzip2(const std::string& text) {
  std::string packed(text.size() + text.size() / 64 + 1024, '\0');
  auto size = static_cast<unsigned>(packed.size());
  constexpr int kBlocks = 1;
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &size, const_cast<char*>(text.data()),
                                     static_cast<unsigned>(text.size()), kBlocks, 0, 0),
            BZ_OK);
  packed.resize(size);
  return packed;
}

}  // namespace roformer
