#include "formats/gguf_model.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/memory_files.h"
#include "formats/gguf_config.h"
#include "formats/gguf_tokenizer.h"
#include "formats/state_dict.h"
#include "formats/stored_form.h"

namespace roformer {

namespace {

bool ends_as(std::string_view name, std::string_view part) {
  const size_t dot = name.rfind('.');
  return dot != name.npos && name.substr(0, dot).ends_with(part);
}

// Rows of a matrix; elements of a vector.
int64_t rows_of(const std::vector<int64_t>& shape) {
  if (shape.size() == 1) return shape[0];
  return std::accumulate(shape.begin(), shape.end() - (shape.empty() ? 0 : 1), int64_t{1}, std::multiplies<>());
}

}  // namespace

int64_t gguf_row(GgufRows order, int64_t r, int64_t rows, int64_t heads) {
  const int64_t size = rows / heads;  // rows of a head
  const int64_t head = r / size, i = r % size;
  switch (order) {
    case GgufRows::same: return r;
    case GgufRows::adjacent_pairs: return head * size + (i < size / 2 ? 2 * i : 2 * (i - size / 2) + 1);
    case GgufRows::stacked: {
      const int64_t part = size / 3;  // of q, k or v of a head
      return i / part * (rows / 3) + head * part + i % part;
    }
  }
  return r;
}

GgufModel::GgufModel(const std::string& path) : file_(path), architecture_(gguf_architecture(file_)) {
  const JsonObject& metadata = file_.metadata();
  const std::string heads = std::string(architecture_.name) + ".attention.head_count";
  constexpr int64_t kMost = 1 << 20;
  heads_ = metadata.get_int(heads, std::nullopt, 1, kMost);
  key_heads_ = metadata.get_int(heads + "_kv", heads_, 1, kMost);
  for (const GgufTensor& tensor : file_.tensors()) {
    const std::string ours = name_from_gguf(architecture_, tensor.name);
    if (ours.empty() && tensor.name == "rope_freqs.weight") continue;  // of config.json
    const std::string name = ours.empty() ? tensor.name : ours;
    if (!held_.emplace(name, described(tensor, name)).second) {
      throw DataError("'{}': tensors {} and another are both {}", FilePath(path),
                      TensorName(tensor.name, quote(tensor.name)), quote(name));
    }
    infos_.push_back({name, tensor.type->name, tensor.shape});
  }
}

GgufModel::Held GgufModel::described(const GgufTensor& tensor, const std::string& name) const {
  Held held{.tensor = &tensor};
  if (ends_as(name, "norm")) held.offset = architecture_.norm_offset;
  const bool query = ends_as(tensor.name, ".attn_q"), key = ends_as(tensor.name, ".attn_k");
  if (architecture_.rows == GgufRows::adjacent_pairs && (query || key)) {
    held.rows = architecture_.rows;
    held.heads = query ? heads_ : key_heads_;
  }
  if (architecture_.rows == GgufRows::stacked && ends_as(tensor.name, ".attn_qkv")) {
    held.rows = architecture_.rows;
    held.heads = heads_;
  }
  const int64_t group = held.heads * (held.rows == GgufRows::stacked ? 3 : 2);
  if (held.rows != GgufRows::same && rows_of(tensor.shape) % group != 0) {
    throw DataError("'{}': tensor {} has {} rows, expected those of {} heads", FilePath(path()),
                    TensorName(tensor.name, quote(tensor.name)), rows_of(tensor.shape), held.heads);
  }
  return held;
}

const GgufModel::Held& GgufModel::find(const std::string& name) const {
  const auto found = held_.find(name);
  if (found == held_.end()) throw DataError("'{}' has no tensor {}", FilePath(path()), TensorName(name, quote(name)));
  return found->second;
}

Tensor GgufModel::stored(const std::string& name) const {
  const Held& held = find(name);
  const GgufTensor& tensor = *held.tensor;
  const TensorInfo info{tensor.name, tensor.type->name, tensor.shape};
  const bool in_blocks = tensor.type->numbers > 1 && tensor.type->decode != nullptr;
  if (!in_blocks && held.offset == 0) {
    Tensor as_is = tensor_from_bytes(file_.mapped(), file_.data(tensor), info, path());
    if (held.rows == GgufRows::same) return as_is;
    Tensor result = Tensor::allocate(as_is.shape(), as_is.dtype());
    const int64_t rows = rows_of(tensor.shape), bytes = rows == 0 ? 0 : result.bytes() / rows;
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(static_cast<char*>(result.raw()) + r * bytes,
                  file_.data(tensor) + gguf_row(held.rows, r, rows, held.heads) * bytes, static_cast<size_t>(bytes));
    }
    return result;
  }
  Tensor result = Tensor::allocate(stored_form(info, path()).first, DType::float32);
  decode(held, result);
  return result;
}

void GgufModel::read_into(const std::string& name, const Tensor& to) const {
  const Held& held = find(name);
  const bool in_blocks = held.tensor->type->numbers > 1 && held.tensor->type->decode != nullptr;
  const bool rows_fit = held.tensor->shape.size() >= 2 && to.columns() == held.tensor->shape.back();
  if (in_blocks && rows_fit && to.dtype() == DType::float32) return decode(held, to);
  copy_tensor(stored(name), to);
}

// To float32. A vector in another order of elements is decoded as a whole first.
void GgufModel::decode(const Held& held, const Tensor& to) const {
  const GgufTensor& tensor = *held.tensor;
  const auto refuse = [&](int64_t row) {
    throw DataError("'{}': tensor {} ({}) holds a number in row {} that is not finite", FilePath(path()),
                    TensorName(tensor.name, quote(tensor.name)), tensor.type->name, row);
  };
  if (tensor.shape.size() < 2) {
    std::vector<float> numbers(static_cast<size_t>(rows_of(tensor.shape)));
    const int64_t count = std::ssize(numbers);
    if (!decode_row(*tensor.type, file_.data(tensor), count, numbers.data())) refuse(0);
    for (int64_t i = 0; i < count; ++i) {
      const float number = numbers[static_cast<size_t>(gguf_row(held.rows, i, count, held.heads))];
      to.data<float>()[i] = number - static_cast<float>(held.offset);
    }
    return;
  }
  const int64_t rows = rows_of(tensor.shape), columns = tensor.shape.back(), bytes = tensor.type->row_bytes(columns);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t row = gguf_row(held.rows, r, rows, held.heads);
    if (!decode_row(*tensor.type, file_.data(tensor) + row * bytes, columns, to.row<float>(r))) refuse(row);
  }
}

namespace {

// The files beside the tensors; made anew where the file has changed. Older ones may still be mapped by somebody.
struct OpenedGguf {
  int64_t size = 0, modified = 0;
  std::map<std::string, std::string> files;
  std::unique_ptr<MemoryDirectory> directory;
};

std::map<std::string, std::string> directory_files(const std::string& path) {
  const GgufFile file(path);
  const GgufArchitecture& architecture = gguf_architecture(file);
  std::map<std::string, std::string> files = gguf_tokenizer_files(file);
  files["config.json"] = gguf_config(file, architecture).dump(2) + "\n";
  files["generation_config.json"] = gguf_generation_config(file).dump(2) + "\n";
  return files;
}

}  // namespace

void open_gguf_directory(const std::string& path) {
  static std::mutex mutex;
  // Never destroyed: at exit somebody may still read.
  static auto& opened = *new std::map<std::string, std::vector<std::unique_ptr<OpenedGguf>>>();
  const std::lock_guard lock(mutex);
  const RandomAccessFile now(path);
  auto& versions = opened[path];
  if (!versions.empty() && versions.back()->size == now.size() && versions.back()->modified == now.modified()) return;
  auto fresh = std::make_unique<OpenedGguf>();
  fresh->size = now.size();
  fresh->modified = now.modified();
  fresh->files = directory_files(path);
  const std::map<std::string, std::string_view> views(fresh->files.begin(), fresh->files.end());
  if (!versions.empty()) versions.back()->directory.reset();
  fresh->directory = std::make_unique<MemoryDirectory>(path, views);
  versions.push_back(std::move(fresh));
}

}  // namespace roformer
