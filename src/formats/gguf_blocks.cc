#include "formats/gguf_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/half.h"

namespace roformer {

namespace {

constexpr int64_t kSmall = 32, kLarge = 256;  // numbers of a block

float half_at(const unsigned char* bytes) {
  Float16 half;
  std::memcpy(&half, bytes, sizeof half);
  return widened(half);
}

void put_half(float x, unsigned char* bytes) {
  const Float16 half = rounded_to_float16(x);
  std::memcpy(bytes, &half, sizeof half);
}

void decode_f32(const unsigned char* block, float* out) { std::memcpy(out, block, sizeof *out); }
void encode_f32(const float* in, unsigned char* block) { std::memcpy(block, in, sizeof *in); }
void decode_f16(const unsigned char* block, float* out) { *out = half_at(block); }
void encode_f16(const float* in, unsigned char* block) { put_half(*in, block); }
void decode_bf16(const unsigned char* block, float* out) {
  BFloat16 half;
  std::memcpy(&half, block, sizeof half);
  *out = widened(half);
}

// The low four bits of 16 bytes are the first half of a small block's numbers, the high ones the second.
int nibble(const unsigned char* bytes, int64_t i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }
// With a fifth bit of each number in `high`.
int five_bits(const unsigned char* bytes, const unsigned char* high, int64_t i) {
  return nibble(bytes, i) | (high[i / 8] >> (i % 8) & 1) << 4;
}

void decode_q4_0(const unsigned char* block, float* out) {  // half d; 16 bytes
  const float d = half_at(block);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

void decode_q4_1(const unsigned char* block, float* out) {  // half d, m; 16 bytes
  const float d = half_at(block), m = half_at(block + 2);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

void decode_q5_0(const unsigned char* block, float* out) {  // half d; 32 high bits; 16 bytes
  const float d = half_at(block);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(five_bits(block + 6, block + 2, i) - 16);
}

void decode_q5_1(const unsigned char* block, float* out) {  // half d, m; 32 high bits; 16 bytes
  const float d = half_at(block), m = half_at(block + 2);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(five_bits(block + 8, block + 4, i)) + m;
}

void decode_q8_0(const unsigned char* block, float* out) {  // half d; 32 int8
  const float d = half_at(block);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
}

// Eight groups of 32 numbers with a scale and a minimum of six bits each, in 12 bytes.
struct GroupScale {
  float scale, minimum;
};
GroupScale group_scale(const unsigned char* block, int64_t group) {  // half d, dmin; 12 bytes
  const float d = half_at(block), smallest = half_at(block + 2);
  const unsigned char* s = block + 4;
  int scale, minimum;
  if (group < 4) {
    scale = s[group] & 63;
    minimum = s[group + 4] & 63;
  } else {
    scale = (s[group + 4] & 15) | (s[group - 4] >> 6) << 4;
    minimum = s[group + 4] >> 4 | (s[group] >> 6) << 4;
  }
  return {d * static_cast<float>(scale), smallest * static_cast<float>(minimum)};
}

void decode_q4_k(const unsigned char* block, float* out) {  // scales; 128 bytes
  for (int64_t group = 0; group < 8; ++group) {
    const auto [scale, minimum] = group_scale(block, group);
    const unsigned char* q = block + 16 + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int64_t i = 0; i < 32; ++i) {
      out[group * 32 + i] = scale * static_cast<float>(q[i] >> shift & 15) - minimum;
    }
  }
}

void decode_q5_k(const unsigned char* block, float* out) {  // scales; 32 bytes of high bits; 128 bytes
  const unsigned char* high = block + 16;
  for (int64_t group = 0; group < 8; ++group) {
    const auto [scale, minimum] = group_scale(block, group);
    const unsigned char* q = block + 48 + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int64_t i = 0; i < 32; ++i) {
      const int number = (q[i] >> shift & 15) | (high[i] >> group & 1) << 4;
      out[group * 32 + i] = scale * static_cast<float>(number) - minimum;
    }
  }
}

void decode_q6_k(const unsigned char* block, float* out) {  // 128 bytes; 64 of two high bits; 16 int8 scales; half d
  const unsigned char *scales = block + 192, *high = block + 128;
  const float d = half_at(block + 208);
  for (int64_t group = 0; group < 8; ++group) {  // of 32 numbers, each half with a scale of its own
    const int64_t half = group / 4, part = group % 4;
    const unsigned char* q = block + half * 64 + part % 2 * 32;
    for (int64_t i = 0; i < 32; ++i) {
      const float scale = d * static_cast<float>(static_cast<int8_t>(scales[group * 2 + i / 16]));
      const int number = (q[i] >> (part / 2 * 4) & 15) | (high[half * 32 + i] >> (part * 2) & 3) << 4;
      out[group * 32 + i] = scale * static_cast<float>(number - 32);
    }
  }
}

void encode_q4_0(const float* in, unsigned char* block) {
  float largest = 0;  // the first of largest magnitude, with its sign
  for (int64_t i = 0; i < kSmall; ++i) {
    if (std::abs(in[i]) > std::abs(largest)) largest = in[i];
  }
  const float d = largest / -8, inverse = d == 0 ? 0 : 1 / d;
  put_half(d, block);
  const auto number = [&](int64_t i) { return std::min(15, static_cast<int>(in[i] * inverse + 8.5F)); };
  for (int64_t i = 0; i < 16; ++i) block[2 + i] = static_cast<unsigned char>(number(i) | number(i + 16) << 4);
}

void encode_q8_0(const float* in, unsigned char* block) {
  float largest = 0;
  for (int64_t i = 0; i < kSmall; ++i) largest = std::max(largest, std::abs(in[i]));
  const float d = largest / 127, inverse = d == 0 ? 0 : 1 / d;
  put_half(d, block);
  for (int64_t i = 0; i < kSmall; ++i) {
    block[2 + i] = static_cast<unsigned char>(static_cast<int8_t>(std::round(in[i] * inverse)));
  }
}

constexpr BlockType kTypes[] = {
    {0, "F32", 1, 4, decode_f32, encode_f32},
    {1, "F16", 1, 2, decode_f16, encode_f16},
    {30, "BF16", 1, 2, decode_bf16},
    {8, "Q8_0", kSmall, 34, decode_q8_0, encode_q8_0},
    {2, "Q4_0", kSmall, 18, decode_q4_0, encode_q4_0},
    {3, "Q4_1", kSmall, 20, decode_q4_1},
    {6, "Q5_0", kSmall, 22, decode_q5_0},
    {7, "Q5_1", kSmall, 24, decode_q5_1},
    {12, "Q4_K", kLarge, 144, decode_q4_k},
    {13, "Q5_K", kLarge, 176, decode_q5_k},
    {14, "Q6_K", kLarge, 210, decode_q6_k},
    {9, "Q8_1", kSmall, 40},
    {10, "Q2_K", kLarge, 84},
    {11, "Q3_K", kLarge, 110},
    {15, "Q8_K", kLarge, 292},
    {16, "IQ2_XXS", kLarge, 66},
    {17, "IQ2_XS", kLarge, 74},
    {18, "IQ3_XXS", kLarge, 98},
    {19, "IQ1_S", kLarge, 50},
    {20, "IQ4_NL", kSmall, 18},
    {21, "IQ3_S", kLarge, 110},
    {22, "IQ2_S", kLarge, 82},
    {23, "IQ4_XS", kLarge, 136},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", kLarge, 56},
    {34, "TQ1_0", kLarge, 54},
    {35, "TQ2_0", kLarge, 66},
    {39, "MXFP4", kSmall, 17},
    {40, "NVFP4", 64, 36},
};

}  // namespace

const BlockType* find_block_type(uint32_t code) {
  const auto* const found = std::ranges::find(kTypes, code, &BlockType::code);
  return found == std::end(kTypes) ? nullptr : found;
}

const BlockType* find_block_type(std::string_view name) {
  const auto* const found =
      std::ranges::find(kTypes, name, [](const BlockType& type) { return std::string_view(type.name); });
  return found == std::end(kTypes) ? nullptr : found;
}

std::string readable_block_types() {
  std::string names;
  for (const BlockType& type : kTypes) {
    if (type.decode != nullptr) names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return names;
}

bool decode_row(const BlockType& type, const char* row, int64_t count, float* numbers) {
  const auto* block = reinterpret_cast<const unsigned char*>(row);
  for (int64_t i = 0; i < count; i += type.numbers, block += type.bytes) type.decode(block, numbers + i);
  uint32_t special = 0;
  for (int64_t i = 0; i < count; ++i) {
    constexpr uint32_t kExponent = 0x7F800000;
    special |= (std::bit_cast<uint32_t>(numbers[i]) & kExponent) == kExponent ? 1 : 0;
  }
  return special == 0;
}

void encode_row(const BlockType& type, const float* numbers, int64_t count, char* row) {
  auto* block = reinterpret_cast<unsigned char*>(row);
  for (int64_t i = 0; i < count; i += type.numbers, block += type.bytes) type.encode(numbers + i, block);
}

}  // namespace roformer
