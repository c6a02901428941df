// config.json: accepted configs are valid and survive a write-read round trip.
#include <nlohmann/json.hpp>

#include "models/config.h"

#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  accepts([&] {
    std::vector<std::string> unknown;
    const ModelConfig config =
        read_config(JsonObject(parse_json(as_text(data, size), "config.json"), "config.json"), &unknown);
    require(config.parameters() > 0, "the number of parameters does not overflow");
    require(config.heads * config.head_dim() == config.hidden, "the heads share the hidden size");
    const Json written = write_config(config);
    const ModelConfig again = read_config(JsonObject(written, "written"));
    require(write_config(again) == written && again.parameters() == config.parameters(), "a config survives");
  });
  return 0;
}

}  // namespace roformer::fuzz
