// A tokenizer.model (first line "model") or tokenizer.json ("json"), tokenizer_config.json and a text, between lines of
// "%%"; or a tokenizer.bin of llama2.c (first line "llama2c").
#include "fuzz/fuzz.h"
#include "text/sentencepiece/llama2c_tokenizer.h"
#include "text/stream_decoder.h"

namespace roformer::fuzz {

namespace {

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const Encoding encoding = tokenizer.encode(text);
  StreamDecoder stream(tokenizer, true);
  std::string streamed;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const int32_t id = encoding.ids[i];
    require(id >= 0 && id < tokenizer.vocabulary_size(), "ids are in the vocabulary");
    const auto [begin, end] = encoding.offsets[i];
    require(0 <= begin && begin <= end && end <= count_code_points(text), "offsets are in the text");
    streamed += stream.push(id);
  }
  streamed += stream.finish();
  require(streamed == tokenizer.decode(encoding.ids, true), "pieces of text are the text");
  require(find_invalid_utf8(streamed) == kValidUtf8, "decoded text is UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  const std::string_view input = as_text(data, size), kind = input.substr(0, input.find('\n'));
  const std::string_view rest = input.substr(std::min(input.size(), kind.size() + 1));
  for (const char* name : {"tokenizer.model", "tokenizer.json", "tokenizer_config.json"}) scratch.put(name, "");
  std::string text = "The king\u00e9's 王 <s> \U0001F600\n  x";
  accepts([&] {
    if (kind == "llama2c") {
      scratch.put("tokenizer.bin", rest);
      for (const auto& [name, content] : read_llama2c_tokenizer(scratch.path("tokenizer.bin"), 0)) {
        scratch.put(name, content);
      }
    } else {
      const auto files = split_files(rest, 3);
      scratch.put(kind == "json" ? "tokenizer.json" : "tokenizer.model", files[0]);
      scratch.put("tokenizer_config.json", files[1]);
      text += files[2];
    }
    const auto tokenizer = load_tokenizer(scratch.path());
    check_text(*tokenizer, text);
    for (const auto& [name, content] : tokenizer->files()) scratch.put(name, content);
    require(load_tokenizer(scratch.path())->files() == tokenizer->files(), "the files survive writing and reading");
  });
  return 0;
}

}  // namespace roformer::fuzz
