// sentence-transformers' modules.json, the config.json of a module, sentence_bert_config.json and
// config_sentence_transformers.json, separated by lines of "%%".
#include "inference/sentence_modules.h"

#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  const auto files = split_files(as_text(data, size), 4);
  std::filesystem::create_directory(scratch.path("1_Pooling"));
  scratch.put("modules.json", files[0]);
  scratch.put("1_Pooling/config.json", files[1]);
  scratch.put("sentence_bert_config.json", files[2]);
  scratch.put("config_sentence_transformers.json", files[3]);
  accepts([&] {
    const SentenceModules modules = read_sentence_modules(scratch.path());
    require(!modules.max_length || *modules.max_length >= 1, "a length is positive");
    require(!modules.default_prompt || modules.prompts.contains(*modules.default_prompt), "the prompt exists");
    for (const std::string& message : {modules.unsupported, modules.unsupported_activation}) {
      if (!message.empty()) check_message(message);
    }
    if (modules.unsupported.empty() && !modules.steps.empty()) {
      accepts([&] {
        const std::vector<float> hidden(8, 0.5F);
        const int64_t width = sentence_width(modules.steps, 4);
        const auto vector =
            apply_steps(modules.steps, {.hidden = hidden, .tokens = 2, .pooler = {}, .prompt_tokens = 1});
        require(std::ssize(vector) == width, "vectors have their width");
      });
    }
  });
  return 0;
}

}  // namespace roformer::fuzz
