// GGUF files: as they are read, and as the model directory that they stand for.
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "formats/gguf_config.h"
#include "formats/gguf_model.h"
#include "formats/gguf_tokenizer.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  scratch.put("in.gguf", as_text(data, size));
  const std::string path = scratch.path("in.gguf");
  accepts([&] {
    const GgufFile file(path);
    int64_t bytes = 0;
    for (const GgufTensor& tensor : file.tensors()) {
      hash_hex({file.data(tensor), static_cast<size_t>(tensor.bytes)});  // reads every byte
      bytes += tensor.bytes;
    }
    require(bytes <= static_cast<int64_t>(size), "tensors are parts of the file");
    accepts([&] { dump_json(gguf_config(file, gguf_architecture(file))); });
    accepts([&] { gguf_tokenizer_files(file); });
  });
  accepts([&] {
    const GgufModel model(path);
    for (const TensorInfo& info : model.tensors()) {
      accepts([&] {
        const Tensor tensor = model.stored(info.name);
        require(tensor.bytes() <= 16 * static_cast<int64_t>(size), "numbers of a file do not grow beyond its blocks");
        hash_hex({static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes())});
      });
    }
  });
  return 0;
}

}  // namespace roformer::fuzz
