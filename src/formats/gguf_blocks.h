// The number types of GGUF tensors (ggml's, github.com/ggml-org/ggml): rows are divided into blocks of 1, 32 or 256
// numbers, which share float16 scales. Sizes are known for all types, values for those of kReadTypes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roformer {

struct BlockType {
  uint32_t code;  // in files
  const char* name;
  int64_t numbers, bytes;  // of a block
  // Writes the numbers of one block; null: a type that is not read.
  void (*decode)(const unsigned char* block, float* numbers) = nullptr;
  // Writes the block nearest to some numbers as ggml's reference does; null: a type that is not written.
  void (*encode)(const float* numbers, unsigned char* block) = nullptr;

  // Bytes of a row; `count` must be a multiple of `numbers`.
  int64_t row_bytes(int64_t count) const { return count / numbers * bytes; }
};

// Null for a code or name that is none of ggml's.
const BlockType* find_block_type(uint32_t code);
const BlockType* find_block_type(std::string_view name);
// "F32, F16, …" of those that are read, for messages.
std::string readable_block_types();

// The `count` numbers of a row, a multiple of type.numbers, to float32 and back. decode_row gives the bits of
// gguf.quants.dequantize; false if a number is not finite.
bool decode_row(const BlockType& type, const char* row, int64_t count, float* numbers);
void encode_row(const BlockType& type, const float* numbers, int64_t count, char* row);

}  // namespace roformer
