// Generation of roformer.h over the C++ class.
#include "library/c_model.h"

namespace roformer {
namespace {

struct GeneratedResult : roformer_generated {
  GeneratedText own;
};

TextGenerationOptions generation_of(const roformer_generation_options* given) {
  const auto known =
      known_options(given, "roformer_generation_options", offsetof(roformer_generation_options, on_token));
  TextGenerationOptions options;
  set_if_given(options.max_new_tokens, known.max_new_tokens);
  options.min_new_tokens = known.min_new_tokens;
  set_if_given(options.repetition_penalty, known.repetition_penalty);
  options.greedy = known.greedy != 0;
  set_if_given(options.temperature, known.temperature);
  if (known.top_k != 0) options.top_k = std::max<int64_t>(0, known.top_k);
  set_if_given(options.top_p, known.top_p);
  options.min_p = known.min_p;
  options.seed = known.seed;
  options.context = known.context;
  set_if_given(options.overflow, known.overflow);
  set_if_given(options.attention_mask, known.attention_mask);
  if (known.stop_string_count > 0) required(known.stop_strings, "stop_strings");
  for (size_t i = 0; i < known.stop_string_count; ++i) {
    options.stop_strings.emplace_back(&required(known.stop_strings[i], "stop_strings"));
  }
  if (known.on_token != nullptr) {
    options.on_token = [on_token = known.on_token, user = known.user](size_t, int32_t id, const std::string& text) {
      return on_token(user, id, text.c_str(), text.size()) != 0;
    };
  }
  return options;
}

roformer_generation_end end_of(GenerationEnd end) {
  switch (end) {
    case GenerationEnd::end_token: return ROFORMER_END_TOKEN;
    case GenerationEnd::stop_string: return ROFORMER_END_STOP_STRING;
    case GenerationEnd::length: return ROFORMER_END_LENGTH;
    case GenerationEnd::context: return ROFORMER_END_CONTEXT;
    case GenerationEnd::halted: return ROFORMER_END_HALTED;
  }
  return ROFORMER_END_LENGTH;
}

}  // namespace
}  // namespace roformer

using roformer::guarded;
using roformer::required;
using roformer::text_of;

roformer_status roformer_generate(const roformer_model* model, const char* prompt, size_t length,
                                  const roformer_generation_options* options, roformer_generated** generated,
                                  roformer_error* error) {
  return guarded(error, [&] {
    required(generated, "generated");
    const roformer_model& opened = required(model, "model");
    auto result = std::make_unique<roformer::GeneratedResult>();
    result->own = opened.model.generate(text_of(prompt, length, "prompt"), roformer::generation_of(options),
                                        opened.stop->token());
    const roformer::GeneratedText& made = result->own;
    static_cast<roformer_generated&>(*result) = {made.text.c_str(), made.text.size(), made.ids.size(), made.ids.data(),
                                                 roformer::end_of(made.end)};
    *generated = result.release();
  });
}

void roformer_generated_free(roformer_generated* generated) {
  delete static_cast<roformer::GeneratedResult*>(generated);
}
