// The two containers of torch.save: the pickle of the object, and where the bytes of each storage are.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "formats/pickle.h"

namespace roformer {

struct PytorchContainer {
  Pickle pickle;
  std::map<std::string, std::string_view> storages;  // by the key that the pickle gives them
};

// `bytes` must outlive the result. DataError for anything wrong.
PytorchContainer read_pytorch_container(std::string_view bytes, const std::string& path);

// One storage as the pickle's persistent identity describes it.
struct StorageReference {
  std::string_view dtype;  // as safetensors names it; "" for untyped bytes
  std::string key;
  int64_t bytes = 0;       // of the whole storage
  int64_t offset = 0;      // of a view into it (the older container), in bytes,
  int64_t view_bytes = 0;  // and its size; all of it where there is no view
};

StorageReference parse_storage(const Pickle& pickle, const PickleNode& persistent, const std::string& path);

// The type that a global such as torch.float16 names; "" if none.
std::string_view element_type(const Pickle& pickle, const PickleNode& global);

}  // namespace roformer
