// The JSON parser: accepted texts parse as by nlohmann's parser and survive a write-read round trip.
#include <nlohmann/json.hpp>

#include "base/json.h"

#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = as_text(data, size);
  Json value;
  const bool accepted = accepts([&] { value = parse_json(text, "input", {.depth = 50, .values = 10'000}); });
  if (!accepted) return 0;
  require(value == Json::parse(text), "the value is the library's");
  require(parse_json(dump_json(value), "again") == value, "a value survives writing and reading");
  check_message(quote(text));
  return 0;
}

}  // namespace roformer::fuzz
