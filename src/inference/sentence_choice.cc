#include "inference/sentence_choice.h"

#include <algorithm>
#include <variant>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

namespace {

void require_supported(const std::string& unsupported) {
  if (!unsupported.empty()) throw DataError("{}", unsupported);
}

std::string prompt_of(const SentenceChoice& choice, const SentenceModules& modules) {
  if (choice.prompt && choice.prompt_name) {
    throw UsageError("{} and {}: expected one of them", FieldName("prompt"), FieldName("prompt_name"));
  }
  if (choice.prompt) return *choice.prompt;
  const std::optional<std::string>& name = choice.prompt_name ? choice.prompt_name : modules.default_prompt;
  if (!name) return "";
  const auto found = modules.prompts.find(*name);
  if (found == modules.prompts.end()) {
    throw UsageError("{} {}: the model directory has no such prompt, expected one of {}", FieldName("prompt_name"),
                     quote(*name), prompt_names(modules));
  }
  return found->second;
}

// The length that texts are cut to, and its reason, where a caller may choose another.
LengthChoice chosen_length(const std::optional<int64_t>& choice, const SentenceModules& modules,
                           const Tokenizer& tokenizer, const ModelConfig& config) {
  if (!choice) return default_length(modules, tokenizer, config);
  if (*choice == 0 || !std::holds_alternative<LearnedPosition>(config.position) || *choice <= config.max_positions) {
    return {*choice, ""};
  }
  return {config.max_positions, "where the model's learned positions end"};
}

// The tokens that texts begin with, as that library counts them: of the prompt alone, without a special token at the
// end.
int64_t prompt_tokens(const TextPreparation& text, const Tokenizer& tokenizer) {
  if (text.prompt.empty()) return 0;
  const std::vector<int32_t> ids = encode_text(tokenizer, text)("").at(0).ids;
  return std::ssize(ids) - (!ids.empty() && tokenizer.is_special(ids.back()) ? 1 : 0);
}

}  // namespace

LengthChoice default_length(const SentenceModules& modules, const Tokenizer& tokenizer, const ModelConfig& config) {
  LengthChoice result;
  const auto limit = [&](int64_t tokens, const char* reason) {
    if (tokens > 0 && (result.tokens == 0 || tokens < result.tokens)) result = {tokens, reason};
  };
  if (modules.max_length) {
    limit(*modules.max_length, "the model directory's max_seq_length");
  } else if (modules.listed || modules.activation) {
    limit(tokenizer.model_max_length(), "model_max_length of its tokenizer_config.json");
    limit(config.max_positions, "max_position_embeddings of its config.json");
  }
  if (std::holds_alternative<LearnedPosition>(config.position)) {
    limit(config.max_positions, "where the model's learned positions end");
  }
  return result;
}

SentenceTexts sentence_texts(const SentenceChoice& choice, const SentenceModules& modules, const ModelConfig& config,
                             const Tokenizer& tokenizer) {
  const LengthChoice length = chosen_length(choice.max_length, modules, tokenizer, config);
  return {{length.tokens, prompt_of(choice, modules), modules.lower_case}, length.reason};
}

SentenceVectors sentence_vectors(const SentenceChoice& choice, const SentenceModules& modules, const Model& model,
                                 const Tokenizer& tokenizer) {
  require_supported(modules.unsupported);
  SentenceVectors result;
  std::vector<SentenceStep>& steps = result.embed.steps;
  steps = modules.steps;
  const auto is_pooling = [](const SentenceStep& step) { return std::holds_alternative<PoolStep>(step.what); };
  const auto normalizes = [](const SentenceStep& step) {
    return std::holds_alternative<NormalizeStep>(step.what) && !step.on_tokens;
  };
  if (std::ranges::none_of(steps, is_pooling))
    steps.insert(steps.begin(), {PoolStep{{default_pooling(model.config())}}});
  for (SentenceStep& step : steps) {
    if (choice.pooling && is_pooling(step)) std::get<PoolStep>(step.what).modes = {*choice.pooling};
  }
  if (needs_pooler(steps) && !model.has_pooler()) {
    throw DataError("the model has no pooler, expected {} cls, mean or max", FieldName("pooling"));
  }
  if (choice.normalize == false) std::erase_if(steps, normalizes);
  result.width = sentence_width(steps, model.config().hidden);
  if (choice.dimensions && (*choice.dimensions < 1 || *choice.dimensions > result.width)) {
    throw UsageError("{} is {}, expected 1 to {}, the length of the model's vectors", FieldName("dimensions"),
                     *choice.dimensions, result.width);
  }
  result.embed.dimensions = choice.dimensions.value_or(modules.dimensions.value_or(0));
  if (result.embed.dimensions > 0) result.width = std::min(result.width, result.embed.dimensions);
  // As in that library, a vector that was cut is not normalized again unless the caller wants it to be.
  const bool unit = normalizes(steps.back()) && result.embed.dimensions == 0;
  result.embed.normalize = choice.normalize.value_or(false) && !unit;
  result.texts = sentence_texts(choice, modules, model.config(), tokenizer);
  result.embed.prompt_tokens = prompt_tokens(result.texts.preparation, tokenizer);
  result.similarity = modules.similarity;
  return result;
}

SentenceScores sentence_scores(const SentenceChoice& choice, const SentenceModules& modules, const ModelConfig& config,
                               const Tokenizer& tokenizer) {
  require_supported(modules.unsupported);
  require_supported(modules.unsupported_activation);
  return {sentence_texts(choice, modules, config, tokenizer), modules.activation};
}

}  // namespace roformer
