#include "formats/pytorch_file.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "formats/pytorch_storages.h"

namespace roformer {

namespace {

using Kind = PickleNode::Kind;

constexpr const char* kSections[] = {"state_dict", "model_state_dict", "model", "module"};
constexpr int kMaxDepth = 4;        // of nested sections and of wrappers around a tensor
constexpr int64_t kMaxSharing = 8;  // limit of the tensors' bytes relative to the storages, which they may share

class Reader {
 public:
  Reader(std::string_view bytes, const std::string& path)
      : path_(path), container_(read_pytorch_container(bytes, path)), pickle_(container_.pickle) {}

  std::string section;
  std::vector<TensorInfo> tensors;
  std::vector<PytorchFile::Layout> layouts;
  std::map<std::string, size_t> index;

  void read() {
    const PickleNode* dict = &pickle_.root();
    if (dict->kind != Kind::dict) throw DataError("'{}' does not hold a dictionary of tensors", FilePath(path_));
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      const PickleNode* inner = find_section(*dict);
      if (inner == nullptr) break;
      dict = inner;
    }
    for (size_t i = 0; i < dict->items.size(); i += 2) {
      const PickleNode* call = find_tensor(pickle_[dict->items[i + 1]]);
      if (call != nullptr) add(pickle_[dict->items[i]], *call);
    }
    if (tensors.empty()) throw DataError("'{}' holds no tensors by name{}", FilePath(path_), keys_of(*dict));
    int64_t present = 0;
    for (const auto& [key, bytes] : container_.storages) present += static_cast<int64_t>(bytes.size());
    if (total_ / kMaxSharing > present) {
      throw DataError("'{}': its tensors have {} bytes in total, its storages only {}", FilePath(path_), total_,
                      present);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& reason) const {
    throw DataError("'{}': tensor {}: {}", FilePath(path_), TensorName(name, quote(name)), reason);
  }

  // As in Python, the last of equal keys counts.
  const PickleNode* find_section(const PickleNode& dict) {
    for (const char* name : kSections) {
      for (size_t i = dict.items.size(); i >= 2; i -= 2) {
        const PickleNode &key = pickle_[dict.items[i - 2]], &value = pickle_[dict.items[i - 1]];
        if (key.kind != Kind::text || key.text != name || value.kind != Kind::dict) continue;
        section = section.empty() ? name : fmt::format("{}.{}", section, name);
        return &value;
      }
    }
    return find_only_tensors(dict);
  }

  bool holds_tensors(const PickleNode& dict) const {
    for (size_t i = 1; i < dict.items.size(); i += 2) {
      if (find_tensor(pickle_[dict.items[i]]) != nullptr) return true;
    }
    return false;
  }

  // In a dictionary without tensors of its own, the one value that has some, under whatever name.
  const PickleNode* find_only_tensors(const PickleNode& dict) {
    if (holds_tensors(dict)) return nullptr;
    const PickleNode *key = nullptr, *found = nullptr;
    std::set<const PickleNode*> seen;  // many keys may have one value
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleNode& value = pickle_[dict.items[i + 1]];
      if (value.kind != Kind::dict || !seen.insert(&value).second || !holds_tensors(value)) continue;
      if (found != nullptr) return nullptr;
      key = &pickle_[dict.items[i]];
      found = &value;
    }
    if (found != nullptr) section = section.empty() ? key->text : fmt::format("{}.{}", section, key->text);
    return found;
  }

  std::string keys_of(const PickleNode& dict) const {
    std::string keys;
    for (size_t i = 0; i < dict.items.size() && i < 20; i += 2) {
      if (const PickleNode& key = pickle_[dict.items[i]]; key.kind == Kind::text) keys += " " + quote(key.text, 30);
    }
    return keys.empty() ? "" : "; its keys are" + keys;
  }

  // The call that rebuilds a tensor; null for other values. A Parameter wraps its tensor.
  const PickleNode* find_tensor(const PickleNode& value) const {
    const PickleNode* node = &value;
    for (int depth = 0; depth < kMaxDepth && node->kind == Kind::call; ++depth) {
      for (const char* name :
           {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"}) {
        if (pickle_.is_call(*node, name)) return node;
      }
      const PickleNode& arguments = pickle_[node->items[1]];
      const bool wrapper = pickle_.is_call(*node, "torch._utils._rebuild_parameter") ||
                           pickle_.is_call(*node, "torch._utils._rebuild_parameter_with_state");
      if (!wrapper || arguments.items.empty()) return nullptr;
      node = &pickle_[arguments.items[0]];
    }
    return nullptr;
  }

  void add(const PickleNode& key, const PickleNode& call) {
    TensorInfo info;
    info.name = key.text;
    if (key.kind != Kind::text || find_invalid_utf8(info.name) != kValidUtf8) {
      throw DataError("'{}': the name of a tensor, {}, is not a text in UTF-8", FilePath(path_), quote(key.text));
    }
    PytorchFile::Layout layout = layout_of(info, call, pickle_[call.items[1]]);
    const auto [found, fresh] = index.emplace(info.name, tensors.size());
    if (fresh) {
      tensors.push_back(std::move(info));
      layouts.push_back(std::move(layout));
    } else {
      tensors[found->second] = std::move(info);
      layouts[found->second] = std::move(layout);
    }
  }

  // The arguments are storage, offset, sizes, strides, and others that are ignored, except for a dictionary of the bits
  // "negative" and "conjugate".
  PytorchFile::Layout layout_of(TensorInfo& info, const PickleNode& call, const PickleNode& arguments) {
    if (arguments.items.size() < 4) fail(info.name, "its description has fewer than 4 parts");
    const auto argument = [&](size_t i) -> const PickleNode& { return pickle_[arguments.items[i]]; };
    if (argument(0).kind != Kind::persistent) fail(info.name, "its description names no storage");
    const StorageReference storage = parse_storage(pickle_, argument(0), path_);
    info.dtype = storage.dtype;
    size_t flags = 6;
    if (pickle_.is_call(call, "torch._utils._rebuild_tensor_v3")) {
      if (arguments.items.size() > 6) info.dtype = element_type(pickle_, argument(6));
      flags = 7;
    }
    if (element_bits(info.dtype) == 0) fail(info.name, "its type is unknown");
    if (arguments.items.size() > flags && !argument(flags).items.empty()) {
      fail(info.name, "it is a negated or conjugated view");
    }
    const std::optional<int64_t> offset = whole(argument(1));
    if (!offset) fail(info.name, "its storage offset is not a non-negative integer");
    info.shape = sizes_of(info.name, "sizes", argument(2));
    const std::vector<int64_t> strides = sizes_of(info.name, "strides", argument(3));
    if (strides.size() != info.shape.size()) fail(info.name, "the numbers of its strides and sizes differ");
    return check(info, storage, *offset, strides);
  }

  PytorchFile::Layout check(const TensorInfo& info, const StorageReference& storage, int64_t offset,
                            std::vector<int64_t> strides) {
    const auto found = container_.storages.find(storage.key);
    if (found == container_.storages.end())
      fail(info.name, fmt::format("its storage {} is missing", quote(storage.key)));
    if (storage.bytes > static_cast<int64_t>(found->second.size())) {
      fail(info.name, fmt::format("its storage has {} bytes, expected {}", found->second.size(), storage.bytes));
    }
    const int64_t width = element_bits(info.dtype) / 8, present = storage.view_bytes / width;
    int64_t elements = 1, last = offset;  // `last`: offset of the last element
    bool overflow = false, dense = true;
    for (size_t i = info.shape.size(); i-- > 0;) {
      const int64_t size = info.shape[i];
      if (size == 1) strides[i] = 0;  // may be anything
      dense &= size == 1 || strides[i] == elements;
      int64_t reach = 0;
      overflow |= __builtin_mul_overflow(std::max<int64_t>(size - 1, 0), strides[i], &reach);
      overflow |= __builtin_add_overflow(last, reach, &last);
      overflow |= __builtin_mul_overflow(elements, size, &elements);
    }
    if (overflow) fail(info.name, "its shape is too large");
    if (elements == 0) return {found->second.data(), {}};
    if (last >= present) {
      fail(info.name, fmt::format("it reaches to element {} of a storage of {}", last, present));
    }
    if (elements > present) {
      fail(info.name, fmt::format("it repeats elements: {} of a storage of {}", elements, present));
    }
    overflow |= __builtin_add_overflow(total_, elements * width, &total_);
    if (overflow) fail(info.name, "the tensors are too large");
    return {found->second.data() + storage.offset + offset * width,
            dense ? std::vector<int64_t>{} : std::move(strides)};
  }

  static std::optional<int64_t> whole(const PickleNode& node) {
    if (node.kind != Kind::integer || node.integer < 0) return std::nullopt;
    return node.integer;
  }

  std::vector<int64_t> sizes_of(const std::string& name, const char* what, const PickleNode& node) const {
    const PickleNode* list = &node;
    if (pickle_.is_call(node, "torch.Size") && !pickle_[node.items[1]].items.empty()) {
      list = &pickle_[pickle_[node.items[1]].items[0]];
    }
    std::vector<int64_t> result;
    if (list->kind != Kind::tuple && list->kind != Kind::list) fail(name, fmt::format("its {} are not a list", what));
    for (const PickleId id : list->items) {
      const std::optional<int64_t> number = whole(pickle_[id]);
      if (!number) fail(name, fmt::format("its {} are not non-negative integers", what));
      result.push_back(*number);
    }
    return result;
  }

  const std::string& path_;
  PytorchContainer container_;
  const Pickle& pickle_;
  int64_t total_ = 0;
};

// A contiguous, row-major copy of the elements.
std::shared_ptr<char> gather(const char* data, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides,
                             int64_t width) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  std::shared_ptr<char> result(static_cast<char*>(::operator new(static_cast<size_t>(elements * width))),
                               [](char* memory) { ::operator delete(memory); });
  std::vector<int64_t> index(shape.size());
  int64_t offset = 0;
  for (int64_t i = 0; i < elements; ++i) {
    std::memcpy(result.get() + i * width, data + offset * width, static_cast<size_t>(width));
    for (size_t axis = shape.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

PytorchFile::PytorchFile(const std::string& path) : path_(path), file_(std::make_shared<MappedFile>(path)) {
  Reader reader(file_->view(), path_);
  reader.read();
  section_ = std::move(reader.section);
  tensors_ = std::move(reader.tensors);
  layouts_ = std::move(reader.layouts);
  index_ = std::move(reader.index);
}

Tensor PytorchFile::stored(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw DataError("'{}' has no tensor {}", FilePath(path_), TensorName(name, quote(name)));
  const TensorInfo& info = tensors_[found->second];
  const Layout& layout = layouts_[found->second];
  if (layout.strides.empty()) return tensor_from_bytes(file_, layout.data, info, path_);
  const std::shared_ptr<char> bytes = gather(layout.data, info.shape, layout.strides, element_bits(info.dtype) / 8);
  return tensor_from_bytes(bytes, bytes.get(), info, path_);
}

}  // namespace roformer
