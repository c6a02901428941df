// The model of roformer.h over the C++ class.
#include "library/c_support.h"
#include "roformer/text_model.h"

struct roformer_model {
  roformer::TextModel model;
  std::shared_ptr<roformer::StopSwitch> stop;
};

namespace roformer {
namespace {

// A result of the C interface, with the storage its pointers refer to.
struct TokensResult : roformer_tokens {
  TokenizedText text;
  std::vector<const char*> texts_of_tokens;
};
struct MatrixResult : roformer_matrix {
  std::vector<float> storage;
};
struct MasksResult : roformer_masks {
  FilledMasks filled;
  std::vector<roformer_candidate> list;
};
struct ClassificationResult : roformer_classification {
  std::vector<std::string> names;
  std::vector<roformer_label> list;
};
struct GeneratedResult : roformer_generated {
  GeneratedText own;
};

roformer_matrix* make_matrix(size_t rows, size_t columns, std::vector<float> values) {
  auto result = std::make_unique<MatrixResult>();
  result->storage = std::move(values);
  static_cast<roformer_matrix&>(*result) = {rows, columns, result->storage.data()};
  return result.release();
}

std::unique_ptr<ClassificationResult> make_classification(const std::vector<std::string>& labels,
                                                          const Classification& found) {
  auto result = std::make_unique<ClassificationResult>();
  result->names = labels;
  for (size_t i = 0; i < labels.size(); ++i) result->list.push_back({result->names[i].c_str(), found.scores[i]});
  const auto best = std::max_element(found.scores.begin(), found.scores.end()) - found.scores.begin();
  static_cast<roformer_classification&>(*result) = {labels.size(), static_cast<size_t>(best), result->list.data()};
  return result;
}

roformer_model_options known_model_options(const roformer_model_options* given) {
  return known_options(given, "roformer_model_options", offsetof(roformer_model_options, dtype));
}

ModelOptions options_of(const roformer_model_options& given) {
  ModelOptions options;
  options.threads = given.threads;
  set_if_given(options.device, given.device);
  set_if_given(options.dtype, given.dtype);
  options.max_length = given.max_length;
  set_if_given(options.max_batch_tokens, given.max_batch_tokens);
  return options;
}

EmbeddingPooling pooling_of(roformer_pooling pooling) {
  switch (pooling) {
    case ROFORMER_POOLING_AUTO: return EmbeddingPooling::automatic;
    case ROFORMER_POOLING_MEAN: return EmbeddingPooling::mean;
    case ROFORMER_POOLING_CLS: return EmbeddingPooling::cls;
    case ROFORMER_POOLING_MAX: return EmbeddingPooling::max;
    case ROFORMER_POOLING_POOLER: return EmbeddingPooling::pooler;
  }
  throw UsageError("{} {} is not a roformer_pooling", FieldName("pooling"), static_cast<int>(pooling));
}

EmbeddingOptions embedding_of(const roformer_embedding_options* given) {
  const auto known = known_options(given, "roformer_embedding_options", sizeof(roformer_embedding_options));
  EmbeddingOptions options{.pooling = pooling_of(known.pooling)};
  switch (known.normalize) {
    case ROFORMER_AUTO: return options;
    case ROFORMER_YES: options.normalize = true; return options;
    case ROFORMER_NO: options.normalize = false; return options;
  }
  throw UsageError("{} {} is not a roformer_choice", FieldName("normalize"), static_cast<int>(known.normalize));
}

TextGenerationOptions generation_of(const roformer_generation_options* given) {
  const auto known = known_options(given, "roformer_generation_options", sizeof(roformer_generation_options));
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
  return options;
}

roformer_generation_end end_of(GenerationEnd end) {
  switch (end) {
    case GenerationEnd::end_token: return ROFORMER_END_TOKEN;
    case GenerationEnd::stop_string: return ROFORMER_END_STOP_STRING;
    case GenerationEnd::length: return ROFORMER_END_LENGTH;
    case GenerationEnd::context: return ROFORMER_END_CONTEXT;
  }
  return ROFORMER_END_LENGTH;
}

}  // namespace
}  // namespace roformer

using roformer::guarded;
using roformer::required;
using roformer::text_of;

roformer_status roformer_model_open(const char* directory, const roformer_model_options* options,
                                    roformer_model** model, roformer_error* error) {
  return guarded(error, [&] {
    required(model, "model");
    required(directory, "directory");
    const roformer_model_options known = roformer::known_model_options(options);
    *model = new roformer_model{roformer::TextModel::open(directory, roformer::options_of(known)),
                                roformer::switch_of(known.stop)};
  });
}

void roformer_model_free(roformer_model* model) { delete model; }

int64_t roformer_model_hidden_size(const roformer_model* model) {
  return model == nullptr ? 0 : model->model.hidden_size();
}

const char* roformer_model_ignored_setting(const roformer_model* model, size_t index) {
  return model == nullptr ? nullptr : roformer::element_of(model->model.ignored_settings(), index);
}

const char* roformer_model_warning(const roformer_model* model, size_t index) {
  return model == nullptr ? nullptr : roformer::element_of(model->model.warnings(), index);
}

roformer_status roformer_tokenize(const roformer_model* model, const char* text, size_t length, const char* pair,
                                  size_t pair_length, roformer_tokens** tokens, roformer_error* error) {
  return guarded(error, [&] {
    required(tokens, "tokens");
    roformer::TokenizeOptions options;
    if (pair != nullptr) options.pair = text_of(pair, pair_length, "pair");
    auto result = std::make_unique<roformer::TokensResult>();
    result->text = required(model, "model").model.tokenize(text_of(text, length), options);
    for (const std::string& token : result->text.tokens) result->texts_of_tokens.push_back(token.c_str());
    const roformer::TokenizedText& made = result->text;
    static_assert(sizeof(made.offsets[0]) == 2 * sizeof(int64_t));
    static_cast<roformer_tokens&>(*result) = {made.ids.size(), result->texts_of_tokens.data(), made.ids.data(),
                                              made.segment_ids.data(), made.offsets.front().data()};
    *tokens = result.release();
  });
}

void roformer_tokens_free(roformer_tokens* tokens) { delete static_cast<roformer::TokensResult*>(tokens); }

roformer_status roformer_encode(const roformer_model* model, const char* text, size_t length,
                                roformer_matrix** hidden_states, roformer_error* error) {
  return guarded(error, [&] {
    required(hidden_states, "hidden_states");
    const roformer_model& opened = required(model, "model");
    roformer::HiddenStates states = opened.model.encode(text_of(text, length), opened.stop->token());
    *hidden_states = roformer::make_matrix(static_cast<size_t>(states.tokens), static_cast<size_t>(states.hidden_size),
                                           std::move(states.values));
  });
}

roformer_status roformer_embed(const roformer_model* model, const char* const* texts, const size_t* lengths,
                               size_t count, const roformer_embedding_options* options, roformer_matrix** embeddings,
                               roformer_error* error) {
  return guarded(error, [&] {
    required(embeddings, "embeddings");
    const roformer::TextModel& inner = required(model, "model").model;
    const roformer::EmbeddingOptions how = roformer::embedding_of(options);
    std::vector<float> values;
    for (const auto& embedding : inner.embed(roformer::texts_of(texts, lengths, count), how, model->stop->token())) {
      values.insert(values.end(), embedding.values.begin(), embedding.values.end());
    }
    const size_t width = count == 0 ? static_cast<size_t>(inner.hidden_size()) : values.size() / count;
    *embeddings = roformer::make_matrix(count, width, std::move(values));
  });
}

void roformer_matrix_free(roformer_matrix* matrix) { delete static_cast<roformer::MatrixResult*>(matrix); }

roformer_status roformer_fill_mask(const roformer_model* model, const char* text, size_t length, int64_t top_k,
                                   roformer_masks** masks, roformer_error* error) {
  return guarded(error, [&] {
    required(masks, "masks");
    auto result = std::make_unique<roformer::MasksResult>();
    const roformer_model& opened = required(model, "model");
    result->filled = opened.model.fill_mask(text_of(text, length), top_k, opened.stop->token());
    for (const auto& list : result->filled) {
      for (const auto& c : list) result->list.push_back({c.token.c_str(), c.id, c.score});
    }
    static_cast<roformer_masks&>(*result) = {result->filled.size(), result->filled.front().size(), result->list.data()};
    *masks = result.release();
  });
}

void roformer_masks_free(roformer_masks* masks) { delete static_cast<roformer::MasksResult*>(masks); }

roformer_status roformer_similarity(const roformer_model* model, const char* first, size_t first_length,
                                    const char* second, size_t second_length, const roformer_embedding_options* options,
                                    double* similarity, roformer_error* error) {
  return guarded(error, [&] {
    required(similarity, "similarity");
    const roformer_model& opened = required(model, "model");
    *similarity =
        opened.model.similarity(text_of(first, first_length, "first"), text_of(second, second_length, "second"),
                                roformer::embedding_of(options), opened.stop->token());
  });
}

roformer_status roformer_classify(const roformer_model* model, const char* text, size_t length, const char* pair,
                                  size_t pair_length, roformer_classification** classification, roformer_error* error) {
  return guarded(error, [&] {
    required(classification, "classification");
    const roformer_model& opened = required(model, "model");
    const std::string_view first = text_of(text, length);
    const roformer::TextPair both(first, pair == nullptr ? std::string_view() : text_of(pair, pair_length, "pair"));
    const roformer::Classification found = pair == nullptr
                                               ? opened.model.classify(first, opened.stop->token())
                                               : opened.model.classify({&both, 1}, opened.stop->token()).front();
    *classification = roformer::make_classification(opened.model.labels(), found).release();
  });
}

void roformer_classification_free(roformer_classification* classification) {
  delete static_cast<roformer::ClassificationResult*>(classification);
}

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
