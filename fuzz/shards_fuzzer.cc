// model.safetensors.index.json beside two valid shards (tensors a and b, and c) and a file outside the directory that
// it must not reach.
#include "formats/directory_weights.h"
#include "formats/safetensors.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

// Creates the shards once.
const Scratch& prepared() {
  static const Scratch& scratch = []() -> const Scratch& {
    const Scratch& directory = Scratch::get();
    const auto numbers = [] {
      const Tensor tensor = Tensor::allocate({2}, DType::float32);
      tensor.data<float>()[0] = tensor.data<float>()[1] = 1;
      return tensor;
    };
    write_safetensors(directory.path("1.safetensors"), {{"a", numbers()}, {"b", numbers()}});
    write_safetensors(directory.path("2.safetensors"), {{"c", numbers()}});
    return directory;
  }();
  return scratch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = prepared();
  scratch.put("model.safetensors.index.json", as_text(data, size));
  accepts([&] {
    const WeightFiles files(scratch.path());
    require(files.sharded() && !files.tensors().empty(), "an index names shards");
    const StateDict weights = files.load();
    require(weights.size() == files.tensors().size(), "no tensor is in two shards");
    for (const auto& [name, tensor] : weights) require(tensor.data<float>()[1] == 1, "values are the shard's");
  });
  return 0;
}

}  // namespace roformer::fuzz
