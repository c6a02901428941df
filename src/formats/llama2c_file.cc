#include "formats/llama2c_file.h"

#include <cstring>
#include <memory>
#include <vector>

#include "base/file.h"
#include "formats/byte_reader.h"
#include "formats/tensor_file.h"

namespace roformer {

namespace {

constexpr uint32_t kMagic = 0x616b3432;  // "ak42"
constexpr uint64_t kHeader = 256;        // bytes, in versions 1 and 2

// One tensor, in file order; without a name it is skipped.
struct Piece {
  std::string name;
  std::vector<int64_t> shape;
  bool rounded = false;  // int8

  int64_t elements() const {
    int64_t count = 1;
    for (const int64_t dim : shape) count *= dim;  // fits: read_dimensions() has limits
    return count;
  }
};

struct Header {
  Llama2cFile file;
  int64_t group = 0;  // weights per scale, in version 2
  uint64_t bytes = 0;
};

void check(const std::string& path, const char* what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return;
  throw DataError("{}: {} is {}, expected {} to {}: not a model of llama2.c", FilePath(path), what, value, low, high);
}

// The seven dimensions that every version has.
void read_dimensions(ByteReader& reader, const std::string& path, Llama2cFile& file) {
  constexpr int64_t kWidest = 65536;
  for (int64_t* number :
       {&file.dim, &file.hidden_dim, &file.layers, &file.heads, &file.kv_heads, &file.vocabulary, &file.positions}) {
    *number = reader.number<int32_t>();
  }
  if (file.version == 0 && file.vocabulary < 0) {
    file.vocabulary = -file.vocabulary;
    file.shared_classifier = false;
  }
  check(path, "dim", file.dim, 1, kWidest);
  check(path, "hidden_dim", file.hidden_dim, 1, 4 * kWidest);
  check(path, "n_layers", file.layers, 1, 1000);
  check(path, "n_heads", file.heads, 1, file.dim);
  check(path, "n_kv_heads", file.kv_heads, 1, file.heads);
  check(path, "vocab_size", file.vocabulary, 1, 10'000'000);
  check(path, "seq_len", file.positions, 1, int64_t{1} << 29);
  if (file.dim % file.heads != 0 || file.dim / file.heads % 2 != 0 || file.heads % file.kv_heads != 0) {
    throw DataError("{}: dim {}, n_heads {} and n_kv_heads {} give no even head size: not a model of llama2.c",
                    FilePath(path), file.dim, file.heads, file.kv_heads);
  }
}

Header read_header(std::string_view bytes, const std::string& path) {
  ByteReader reader(bytes, FilePath(path));
  Header header;
  uint32_t magic = 0;
  if (bytes.size() >= sizeof magic) std::memcpy(&magic, bytes.data(), sizeof magic);
  if (magic == kMagic) {
    reader.number<uint32_t>();
    header.file.version = reader.number<int32_t>();
    check(path, "its version", header.file.version, 1, 2);
  }
  read_dimensions(reader, path, header.file);
  header.bytes = reader.at();
  if (header.file.version == 0) return header;
  const auto shared = reader.number<uint8_t>();
  check(path, "the flag of a shared classifier", shared, 0, 1);
  header.file.shared_classifier = shared == 1;
  if (header.file.version == 2) {
    header.group = reader.number<int32_t>();
    check(path, "the group of int8 weights", header.group, 1, header.file.dim);
  }
  header.bytes = kHeader;
  return header;
}

class Pieces {
 public:
  explicit Pieces(const Llama2cFile& file) : file_(file) {
    const int64_t keys = file.dim / file.heads * file.kv_heads;
    const Piece words{"tok_embeddings.weight", {file.vocabulary, file.dim}, file.version == 2};
    if (file.version == 0) all.push_back(words);
    add("attention_norm", {file.dim});
    if (file.version != 0) add_norms();
    if (file.version != 0) all.push_back(words);
    add("attention.wq", {file.dim, file.dim});
    add("attention.wk", {keys, file.dim});
    add("attention.wv", {keys, file.dim});
    add("attention.wo", {file.dim, file.dim});
    if (file.version == 0) add("ffn_norm", {file.dim});
    add("feed_forward.w1", {file.hidden_dim, file.dim});
    add("feed_forward.w2", {file.dim, file.hidden_dim});
    add("feed_forward.w3", {file.hidden_dim, file.dim});
    if (file.version == 0) {
      all.push_back({"norm.weight", {file.dim}});
      all.push_back({"", {file.positions, file.dim / file.heads}});  // cosines and sines
    }
    if (!file.shared_classifier) all.push_back({"output.weight", words.shape, words.rounded});
  }

  std::vector<Piece> all;

 private:
  void add_norms() {
    add("ffn_norm", {file_.dim});
    all.push_back({"norm.weight", {file_.dim}});
  }
  // Of every layer.
  void add(const std::string& name, const std::vector<int64_t>& shape) {
    for (int64_t i = 0; i < file_.layers; ++i) {
      all.push_back(
          {"layers." + std::to_string(i) + "." + name + ".weight", shape, file_.version == 2 && shape.size() == 2});
    }
  }

  const Llama2cFile& file_;
};

// Bytes of a piece; DataError if its weights do not fill whole groups.
int64_t size_of(const Piece& piece, int64_t group, const std::string& path) {
  const int64_t count = piece.elements();
  if (!piece.rounded) return 4 * count;
  if (count % group != 0) {
    throw DataError("{}: the {} weights of {} are not a multiple of the group size {}", FilePath(path), count,
                    TensorName(piece.name), group);
  }
  return count + count / group * 4;
}

// weight = int8 · scale of its group
Tensor restore(const char* bytes, const Piece& piece, int64_t group) {
  const int64_t count = piece.elements();
  Tensor result = Tensor::allocate({piece.shape[0], piece.shape[1]}, DType::float32);
  for (int64_t i = 0; i < count; i += group) {
    float scale = 0;
    std::memcpy(&scale, bytes + count + i / group * 4, sizeof scale);
    for (int64_t j = i; j < i + group; ++j) {
      result.data<float>()[j] = static_cast<float>(static_cast<signed char>(bytes[j])) * scale;
    }
  }
  return result;
}

}  // namespace

Llama2cFile read_llama2c(const std::string& path) {
  const auto mapped = std::make_shared<const MappedFile>(path);
  Header header = read_header(mapped->view(), path);
  const Pieces pieces(header.file);
  auto end = static_cast<int64_t>(header.bytes);
  for (const Piece& piece : pieces.all) end += size_of(piece, header.group, path);
  if (end != mapped->size()) {
    throw DataError("{}: is {} bytes long, its header describes a model of {}", FilePath(path), mapped->size(), end);
  }
  const char* at = mapped->data() + header.bytes;
  for (const Piece& piece : pieces.all) {
    if (piece.rounded) {
      header.file.weights[piece.name] = restore(at, piece, header.group);
    } else if (!piece.name.empty()) {
      header.file.weights[piece.name] = tensor_from_bytes(mapped, at, {piece.name, "F32", piece.shape}, path);
    }
    at += size_of(piece, header.group, path);
  }
  return std::move(header.file);
}

}  // namespace roformer
