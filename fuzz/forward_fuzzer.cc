// The ids file of `forward`, on a tiny model with positions selected by byte 0: activations must be finite and of the
// right shapes.
#include "inference/forward.h"

#include <cmath>

#include "backend/backend.h"
#include "formats/safetensors.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

constexpr int64_t kHidden = 8;

Model tiny_model(Backend& backend, const char* position) {
  ModelConfig config;
  config.vocabulary = 11;
  config.hidden = config.embedding = kHidden;
  config.intermediate = 12;
  config.layers = 1;
  config.heads = 2;
  config.max_positions = 16;
  config.position = parse_position(position);
  complete(config, "");
  Model model(backend, config, false);
  model.initialize({1, 0});
  return model;
}

struct World {
  ThreadPool pool{1};
  std::unique_ptr<Backend> backend = make_backend("cpu", pool);
  Model rotary = tiny_model(*backend, "rotary"), learned = tiny_model(*backend, "learned"),
        sinusoidal = tiny_model(*backend, "sinusoidal");
};

void check_output(const std::string& path, int64_t sequences) {
  const SafetensorsFile file(path);
  require(static_cast<int64_t>(file.tensors().size()) == 2 * sequences, "hidden states and logits of each sequence");
  for (const TensorInfo& info : file.tensors()) {
    const Tensor tensor = file.tensor(info.name);
    require(tensor.shape().rank() == 2, "activations are matrices");
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      require(std::isfinite(tensor.data<float>()[i]), "activations are finite");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const World world;
  if (size == 0) return 0;
  const Scratch& scratch = Scratch::get();
  scratch.put("ids.json", as_text(data + 1, size - 1));
  const Model& model = data[0] % 3 == 0 ? world.rotary : data[0] % 3 == 1 ? world.learned : world.sinusoidal;
  accepts([&] {
    const std::string output = scratch.path("out.safetensors");
    check_output(output, forward(model, scratch.path("ids.json"), output));
  });
  return 0;
}

}  // namespace roformer::fuzz
