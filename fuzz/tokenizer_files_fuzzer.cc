// A tokenizer directory: vocab.txt, tokenizer_config.json, tokenizer.json, added_tokens.json and jieba_dict.txt,
// between lines of "%%".
#include "fuzz/fuzz.h"
#include "text/tokenizer.h"

namespace roformer::fuzz {

namespace {

void check_encoding(const Tokenizer& tokenizer) {
  const Encoding encoding = tokenizer.encode("The king\u00e9's 王 [MASK] \u0130##x", "a pair", 9);
  require(encoding.ids.size() <= 9, "max_length is respected");
  for (const int32_t id : encoding.ids) {
    require(id >= 0 && id < tokenizer.vocabulary_size(), "ids are in the vocabulary");
  }
  tokenizer.decode(encoding.ids, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  ::setenv("XDG_CACHE_HOME", "/dev/null/none", 1);  // disables the cache
  const auto files = split_files(as_text(data, size), 5);
  scratch.put("vocab.txt", files[0]);
  scratch.put("tokenizer_config.json", files[1]);
  scratch.put("tokenizer.json", files[2]);
  scratch.put("added_tokens.json", files[3]);
  scratch.put("jieba_dict.txt", files[4].empty() ? "王 5\n" : files[4]);
  accepts([&] {
    const auto tokenizer = load_tokenizer(scratch.path());
    check_encoding(*tokenizer);
    for (const auto& [name, content] : tokenizer->files()) scratch.put(name, content);
    const auto again = load_tokenizer(scratch.path());
    require(again->vocabulary_size() == tokenizer->vocabulary_size(), "the vocabulary survives writing and reading");
    for (int32_t id = 0; id < tokenizer->vocabulary_size(); ++id) {
      require(again->token(id) == tokenizer->token(id), "tokens survive writing and reading");
    }
    require(again->type() == tokenizer->type() && again->has_mask() == tokenizer->has_mask(), "the kind survives");
    require(!tokenizer->has_mask() || again->mask_id() == tokenizer->mask_id(), "the mask token survives");
    check_encoding(*again);
  });
  return 0;
}

}  // namespace roformer::fuzz
