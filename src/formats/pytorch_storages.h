// The two containers of torch.save: the pickle of the object, and the bytes of each storage.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "formats/pickle.h"

namespace roformer {

struct PytorchContainer {
  Pickle pickle;
  std::map<std::string, std::string_view> storages;  // by their key in the pickle
};

// `bytes` must outlive the result. DataError if malformed.
PytorchContainer read_pytorch_container(std::string_view bytes, const std::string& path);

// A storage as described by a persistent id of the pickle.
struct StorageReference {
  std::string_view dtype;  // safetensors name; "" for untyped bytes
  std::string key;
  int64_t bytes = 0;       // of the whole storage
  int64_t offset = 0;      // of a view into it (older container only), in bytes,
  int64_t view_bytes = 0;  // and its size; the whole storage if there is no view
};

StorageReference parse_storage(const Pickle& pickle, const PickleNode& persistent, const std::string& path);

// The safetensors name of a global such as torch.float16; "" if it is no element type.
std::string_view element_type(const Pickle& pickle, const PickleNode& global);

}  // namespace roformer
