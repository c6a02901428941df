// The model of roformer.h over the C++ class.
#include "library/c_model.h"

namespace roformer {
namespace {

struct MatrixResult : roformer_matrix {
  std::vector<float> storage;  // what `values` points to
};

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
    case ROFORMER_POOLING_MEAN_SQRT_LENGTH: return EmbeddingPooling::mean_sqrt_length;
    case ROFORMER_POOLING_WEIGHTED_MEAN: return EmbeddingPooling::weighted_mean;
    case ROFORMER_POOLING_LAST_TOKEN: return EmbeddingPooling::last_token;
  }
  throw UsageError("{} {} is not a roformer_pooling", FieldName("pooling"), static_cast<int>(pooling));
}

EmbeddingOptions embedding_of(const roformer_embedding_options* given) {
  const auto known = known_options(given, "roformer_embedding_options", offsetof(roformer_embedding_options, prompt));
  EmbeddingOptions options{.pooling = pooling_of(known.pooling)};
  if (known.prompt != nullptr) options.prompt = known.prompt;
  if (known.prompt_name != nullptr) options.prompt_name = known.prompt_name;
  if (known.dimensions != 0) options.dimensions = known.dimensions;
  switch (known.normalize) {
    case ROFORMER_AUTO: return options;
    case ROFORMER_YES: options.normalize = true; return options;
    case ROFORMER_NO: options.normalize = false; return options;
  }
  throw UsageError("{} {} is not a roformer_choice", FieldName("normalize"), static_cast<int>(known.normalize));
}

TokenizedText tokens_of(const int32_t* ids, const int32_t* segment_ids, size_t count) {
  TokenizedText text;
  if (count == 0) return text;
  text.ids.assign(&required(ids, "ids"), ids + count);
  if (segment_ids != nullptr) text.segment_ids.assign(segment_ids, segment_ids + count);
  return text;
}

}  // namespace

roformer_matrix* make_matrix(Matrix matrix) {
  auto result = std::make_unique<MatrixResult>();
  result->storage = std::move(matrix.values);
  static_cast<roformer_matrix&>(*result) = {static_cast<size_t>(matrix.rows), static_cast<size_t>(matrix.columns),
                                            result->storage.data()};
  return result.release();
}

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
    *model = new roformer_model(roformer::TextModel::open(directory, roformer::options_of(known)),
                                roformer::switch_of(known.stop));
  });
}

roformer_status roformer_model_open_memory(const roformer_file* files, size_t count,
                                           const roformer_model_options* options, roformer_model** model,
                                           roformer_error* error) {
  return guarded(error, [&] {
    required(model, "model");
    const roformer_model_options known = roformer::known_model_options(options);
    *model = new roformer_model(
        roformer::TextModel::open_memory(roformer::files_of(files, count), roformer::options_of(known)),
        roformer::switch_of(known.stop));
  });
}

void roformer_model_free(roformer_model* model) { delete model; }

int64_t roformer_model_hidden_size(const roformer_model* model) {
  return model == nullptr ? 0 : model->model.hidden_size();
}

int64_t roformer_model_parameters(const roformer_model* model) {
  return model == nullptr ? 0 : model->model.parameters();
}

const roformer_tokenizer* roformer_model_tokenizer(const roformer_model* model) {
  return model == nullptr ? nullptr : &model->tokenizer;
}

int roformer_model_can(const roformer_model* model, roformer_task task) {
  if (model == nullptr) return 0;
  switch (task) {
    case ROFORMER_FILL_MASK: return model->model.fills_masks();
    case ROFORMER_CLASSIFY: return model->model.classifies_texts();
    case ROFORMER_LABEL_TOKENS: return model->model.labels_tokens();
    case ROFORMER_ANSWER: return model->model.answers_questions();
    case ROFORMER_CHOOSE: return model->model.chooses();
    case ROFORMER_GENERATE: return model->model.generates_texts();
  }
  return 0;
}

const char* roformer_model_label(const roformer_model* model, size_t index) {
  return model == nullptr ? nullptr : roformer::element_of(model->model.labels(), index);
}

const char* roformer_model_ignored_setting(const roformer_model* model, size_t index) {
  return model == nullptr ? nullptr : roformer::element_of(model->model.ignored_settings(), index);
}

const char* roformer_model_warning(const roformer_model* model, size_t index) {
  return model == nullptr ? nullptr : roformer::element_of(model->model.warnings(), index);
}

roformer_status roformer_encode(const roformer_model* model, const char* text, size_t length,
                                roformer_matrix** hidden_states, roformer_error* error) {
  return guarded(error, [&] {
    required(hidden_states, "hidden_states");
    const roformer_model& opened = required(model, "model");
    *hidden_states = roformer::make_matrix(opened.model.encode(text_of(text, length), opened.stop->token()));
  });
}

roformer_status roformer_encode_ids(const roformer_model* model, const int32_t* ids, const int32_t* segment_ids,
                                    size_t count, roformer_matrix** hidden_states, roformer_error* error) {
  return guarded(error, [&] {
    required(hidden_states, "hidden_states");
    const roformer_model& opened = required(model, "model");
    *hidden_states =
        roformer::make_matrix(opened.model.encode(roformer::tokens_of(ids, segment_ids, count), opened.stop->token()));
  });
}

roformer_status roformer_logits(const roformer_model* model, const char* text, size_t length, roformer_matrix** logits,
                                roformer_error* error) {
  return guarded(error, [&] {
    required(logits, "logits");
    const roformer_model& opened = required(model, "model");
    *logits = roformer::make_matrix(opened.model.logits(text_of(text, length), opened.stop->token()));
  });
}

roformer_status roformer_logits_of_ids(const roformer_model* model, const int32_t* ids, const int32_t* segment_ids,
                                       size_t count, roformer_matrix** logits, roformer_error* error) {
  return guarded(error, [&] {
    required(logits, "logits");
    const roformer_model& opened = required(model, "model");
    *logits =
        roformer::make_matrix(opened.model.logits(roformer::tokens_of(ids, segment_ids, count), opened.stop->token()));
  });
}

roformer_status roformer_embed(const roformer_model* model, const char* const* texts, const size_t* lengths,
                               size_t count, const roformer_embedding_options* options, roformer_matrix** embeddings,
                               roformer_error* error) {
  return guarded(error, [&] {
    required(embeddings, "embeddings");
    const roformer::TextModel& inner = required(model, "model").model;
    const roformer::EmbeddingOptions how = roformer::embedding_of(options);
    const std::vector<std::string_view> all = roformer::texts_of(texts, lengths, count);
    *embeddings = roformer::make_matrix(inner.embed(all, how, model->stop->token()));
  });
}

void roformer_matrix_free(roformer_matrix* matrix) { delete static_cast<roformer::MatrixResult*>(matrix); }

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
