// Files of llama2.c.
#include "base/hash.h"
#include "formats/llama2c_file.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  scratch.put("in.bin", as_text(data, size));
  accepts([&] {
    const Llama2cFile file = read_llama2c(scratch.path("in.bin"));
    int64_t bytes = 0;
    for (const auto& [name, tensor] : file.weights) {
      hash_hex({static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes())});  // reads every byte
      bytes += tensor.bytes();
    }
    require(bytes <= 4 * static_cast<int64_t>(size), "a file does not grow beyond what int8 weights stand for");
  });
  return 0;
}

}  // namespace roformer::fuzz
