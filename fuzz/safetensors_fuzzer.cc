// safetensors files. Byte 0 even: the rest is the file. Odd: byte 1 is the number of data bytes and the rest the
// header, without its length, so that mutations get past the length check.
#include "formats/safetensors.h"

#include <cstring>

#include "base/hash.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

std::string file_of(std::string_view input) {
  if (input.size() < 2 || input[0] % 2 == 0) return std::string(input.substr(input.empty() ? 0 : 1));
  const std::string_view header = input.substr(2);
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file += header;
  for (int i = 0; i < static_cast<unsigned char>(input[1]); ++i) file += static_cast<char>(i);
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  scratch.put("in.safetensors", file_of(as_text(data, size)));
  accepts([&] {
    const SafetensorsFile file(scratch.path("in.safetensors"));
    std::vector<std::pair<std::string, Tensor>> read;
    for (const TensorInfo& info : file.tensors()) {
      Tensor tensor;
      if (!accepts([&] { tensor = file.tensor(info.name); })) continue;
      hash_hex({static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes())});  // reads every byte
      if (info.name != "__metadata__") read.emplace_back(info.name, tensor);
    }
    const std::string copy = scratch.path("out.safetensors");
    write_safetensors(copy, read, file.metadata());
    const SafetensorsFile again(copy);
    require(again.tensors().size() == read.size(), "what is written can be read");
    require(again.metadata() == file.metadata(), "metadata survive");
    for (const auto& [name, tensor] : read) {
      const Tensor other = again.tensor(name);
      require(other.shape() == tensor.shape() && other.dtype() == tensor.dtype(), "shape and type survive");
      require(tensor.bytes() == 0 || std::memcmp(other.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0,
              "values survive a round trip");
    }
  });
  return 0;
}

}  // namespace roformer::fuzz
