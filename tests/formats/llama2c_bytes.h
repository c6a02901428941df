// Small files of llama2.c in the format of its export.py.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace roformer::test {

struct Llama2cNumbers {
  int32_t dim = 16, hidden_dim = 12, layers = 2, heads = 4, kv_heads = 2, vocabulary = 11, positions = 8;
  bool shared = true;
};

// Element i of a tensor: a multiple of 1/64 below 1, so that int8 weights with that scale represent it exactly.
inline float llama2c_element(std::string_view name, int64_t i) {
  uint32_t hash = 7;
  for (const char c : name) hash = hash * 31 + static_cast<unsigned char>(c);
  return static_cast<float>(static_cast<int64_t>((hash + static_cast<uint64_t>(i) * 2654435761u) / 8 % 127) - 63) / 64;
}

class Llama2cWriter {
 public:
  Llama2cWriter(const Llama2cNumbers& n, int version, int32_t group) : n_(n), group_(group) {
    const int64_t keys = n.dim / n.heads * n.kv_heads, words = int64_t{n.vocabulary} * n.dim;
    if (version > 0) put(uint32_t{0x616b3432}), put(int32_t{version});
    for (const int32_t number : {n.dim, n.hidden_dim, n.layers, n.heads, n.kv_heads,
                                 version == 0 && !n.shared ? -n.vocabulary : n.vocabulary, n.positions}) {
      put(number);
    }
    if (version > 0) put(static_cast<uint8_t>(n.shared));
    if (version == 2) put(group);
    if (version > 0) bytes.resize(256);
    const bool rounded = version == 2;
    if (version == 0) floats("tok_embeddings.weight", words);
    each("attention_norm", n.dim, false);
    if (version > 0)
      each("ffn_norm", n.dim, false), floats("norm.weight", n.dim), matrix("tok_embeddings.weight", words, rounded);
    each("attention.wq", int64_t{n.dim} * n.dim, rounded);
    each("attention.wk", keys * n.dim, rounded);
    each("attention.wv", keys * n.dim, rounded);
    each("attention.wo", int64_t{n.dim} * n.dim, rounded);
    if (version == 0) each("ffn_norm", n.dim, false);
    for (const char* name : {"feed_forward.w1", "feed_forward.w2", "feed_forward.w3"}) {
      each(name, int64_t{n.dim} * n.hidden_dim, rounded);
    }
    if (version == 0) floats("norm.weight", n.dim), floats("freq_cis", int64_t{n.positions} * n.dim / n.heads);
    if (!n.shared) matrix("output.weight", words, rounded);
  }

  std::string bytes;

 private:
  template <class Number>
  void put(Number number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void floats(const std::string& name, int64_t count) {
    for (int64_t i = 0; i < count; ++i) put(llama2c_element(name, i));
  }
  void matrix(const std::string& name, int64_t count, bool rounded) {
    if (!rounded) return floats(name, count);
    for (int64_t i = 0; i < count; ++i) put(static_cast<int8_t>(llama2c_element(name, i) * 64));
    for (int64_t i = 0; i < count / group_; ++i) put(1.0f / 64);
  }
  void each(const std::string& name, int64_t count, bool rounded) {
    for (int32_t i = 0; i < n_.layers; ++i) {
      matrix("layers." + std::to_string(i) + "." + name + ".weight", count, rounded);
    }
  }

  Llama2cNumbers n_;
  int32_t group_;
};

inline std::string llama2c_bytes(const Llama2cNumbers& numbers, int version, int32_t group = 8) {
  return Llama2cWriter(numbers, version, group).bytes;
}

}  // namespace roformer::test
