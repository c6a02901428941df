// Files of torch.save. Byte 0 selects what the rest is: 0 a whole file; 1 the pickle of a valid zip archive; 2 the part
// of a legacy file after magic number, protocol and system, so that mutations get past the first checks.
#include <cstring>

#include "base/hash.h"
#include "formats/pytorch_file.h"
#include "fuzz/fuzz.h"
#include "tests/formats/zip_file.h"

namespace roformer::fuzz {

namespace {

std::string file_of(std::string_view input) {
  if (input.empty()) return "";
  const std::string rest(input.substr(1));
  switch (input[0] % 3) {
    case 1: {
      const std::string storage(64, '\1');
      return zip_of({{"x/data.pkl", rest}, {"x/data/0", storage}, {"x/data/1", storage}, {"x/byteorder", "little"}});
    }
    case 2: {
      constexpr std::string_view kStart("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}.",
                                        25);
      return std::string(kStart) + rest;
    }
    default: return rest;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  const std::string content = file_of(as_text(data, size));
  scratch.put("in.bin", content);
  if (content.empty()) return 0;
  accepts([&] {
    const PytorchFile file(scratch.path("in.bin"));
    int64_t bytes = 0;
    for (const TensorInfo& info : file.tensors()) {
      Tensor tensor;
      if (!accepts([&] { tensor = file.tensor(info.name); })) continue;
      hash_hex({static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes())});  // reads every byte
      bytes += tensor.bytes();
      require(tensor.contiguous() && tensor.shape().rank() == std::ssize(info.shape), "tensors are as listed");
    }
    require(bytes <= 20 * static_cast<int64_t>(content.size()), "a file does not grow without bound");
  });
  return 0;
}

}  // namespace roformer::fuzz
