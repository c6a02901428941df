#include "report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"

namespace roformer {
namespace {

constexpr int kLevels = 64;
constexpr std::string_view kColor = "\x22\x8B\xE6";  // stands out from white and from black

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

// PNG's CRC-32 (ISO 3309), bit by bit: pictures are small.
uint32_t crc32(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

std::string chunk(std::string_view type, std::string_view data) {
  const std::string typed = std::string(type).append(data);
  return big_endian(static_cast<uint32_t>(data.size())) + typed + big_endian(crc32(typed));
}

// A zlib stream of stored blocks: valid everywhere, no compressor needed.
std::string zlib_stored(std::string_view bytes) {
  constexpr size_t kMaxBlockBytes = 65535;
  uint32_t a = 1, b = 0;  // Adler-32
  for (const char byte : bytes) {
    a = (a + static_cast<unsigned char>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  std::string stream = "\x78\x01";
  do {
    const std::string_view block = bytes.substr(0, kMaxBlockBytes);
    bytes.remove_prefix(block.size());
    stream += static_cast<char>(bytes.empty());
    for (const auto length : {block.size(), ~block.size()}) {
      stream += static_cast<char>(length);
      stream += static_cast<char>(length >> 8);
    }
    stream += block;
  } while (!bytes.empty());
  return stream + big_endian(b << 16 | a);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : kDigits[group >> (18 - 6 * j) & 63];
  }
  return text;
}

}  // namespace

std::string heat_map_image(const HeatMap& map) {
  constexpr int64_t kMaxCells = 16'000'000;
  if (map.rows < 1 || map.columns < 1 || map.columns > kMaxCells / map.rows ||
      static_cast<int64_t>(map.values.size()) != map.rows * map.columns) {
    throw ShapeError("heat map of {} × {} cells has {} values", map.rows, map.columns, map.values.size());
  }
  std::string pixels;
  for (size_t i = 0; i < map.values.size(); ++i) {
    if (i % static_cast<size_t>(map.columns) == 0) pixels += '\0';  // a row of no filter
    const float value = std::isnan(map.values[i]) ? 0 : std::clamp(map.values[i], 0.0f, 1.0f);
    pixels += static_cast<char>(std::lround(value * (kLevels - 1)));
  }
  std::string colors, alphas;
  for (int level = 0; level < kLevels; ++level) {
    colors += kColor;
    alphas += static_cast<char>(level * 255 / (kLevels - 1));
  }
  const std::string header = big_endian(static_cast<uint32_t>(map.columns)) +
                             big_endian(static_cast<uint32_t>(map.rows)) +
                             std::string("\x08\x03\x00\x00\x00", 5);  // 8 bits, palette
  const std::string file = "\x89PNG\r\n\x1A\n" + chunk("IHDR", header) + chunk("PLTE", colors) + chunk("tRNS", alphas) +
                           chunk("IDAT", zlib_stored(pixels)) + chunk("IEND", "");
  return "data:image/png;base64," + base64(file);
}

}  // namespace roformer
