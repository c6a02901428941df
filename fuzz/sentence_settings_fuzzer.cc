// sentence-transformers' modules.json, 1_Pooling/config.json and sentence_bert_config.json, separated by lines of "%%".
#include "inference/sentence_settings.h"

#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  const auto files = split_files(as_text(data, size), 3);
  std::filesystem::create_directory(scratch.path("1_Pooling"));
  scratch.put("modules.json", files[0]);
  scratch.put("1_Pooling/config.json", files[1]);
  scratch.put("sentence_bert_config.json", files[2]);
  accepts([&] {
    const SentenceSettings settings = read_sentence_settings(scratch.path());
    require(!settings.max_length || *settings.max_length >= 3, "a length holds a text");
    if (!settings.unsupported.empty()) check_message(settings.unsupported);
  });
  return 0;
}

}  // namespace roformer::fuzz
