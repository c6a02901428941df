// roformer.h over the C++ classes: checks every pointer, turns exceptions into a status and a message.
#include "roformer/roformer.h"

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "roformer/masked_language_trainer.h"
#include "roformer/text_model.h"
#include "roformer/version.h"

struct roformer_model {
  roformer::TextModel model;
};

struct roformer_trainer {
  roformer::MaskedLanguageTrainer trainer;
};

namespace roformer {
namespace {

// A result as C sees it, and what its pointers point into.
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

roformer_status status_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::usage: return ROFORMER_USAGE_ERROR;
    case ErrorKind::data:
    case ErrorKind::interrupted: return ROFORMER_DATA_ERROR;
    case ErrorKind::file: return ROFORMER_FILE_ERROR;
    case ErrorKind::shape: break;
  }
  return ROFORMER_INTERNAL_ERROR;
}

roformer_status report(roformer_error* error, roformer_status status, std::string_view message) {
  if (error == nullptr) return status;
  size_t length = std::min(message.size(), sizeof(error->message) - 1);
  if (length < message.size()) {
    while (length > 0 && (message[length] & 0xC0) == 0x80) --length;  // not within a UTF-8 character
  }
  error->status = status;
  std::memcpy(error->message, message.data(), length);
  error->message[length] = '\0';
  return status;
}

template <class Body>
roformer_status guarded(roformer_error* error, Body&& body) noexcept {
  try {
    body();
    return report(error, ROFORMER_OK, "");
  } catch (const Error& caught) {
    return report(error, status_of(caught), caught.what());
  } catch (const std::bad_alloc&) {
    return report(error, ROFORMER_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& caught) {
    return report(error, ROFORMER_INTERNAL_ERROR, caught.what());
  } catch (...) {
    return report(error, ROFORMER_INTERNAL_ERROR, "unknown exception");
  }
}

template <class T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr) throw UsageError("{} is NULL", name);
  return *pointer;
}

std::string_view text_of(const char* text, size_t length) {
  if (text == nullptr && length == 0) return {};
  required(text, "text");
  return length == ROFORMER_NUL_TERMINATED ? std::string_view(text) : std::string_view(text, length);
}

std::vector<std::string> texts_of(const char* const* texts, const size_t* lengths, size_t count) {
  std::vector<std::string> result;
  if (count > 0) required(texts, "texts");
  for (size_t i = 0; i < count; ++i) {
    result.emplace_back(text_of(texts[i], lengths == nullptr ? ROFORMER_NUL_TERMINATED : lengths[i]));
  }
  return result;
}

roformer_matrix* make_matrix(size_t rows, size_t columns, std::vector<float> values) {
  auto result = std::make_unique<MatrixResult>();
  result->storage = std::move(values);
  static_cast<roformer_matrix&>(*result) = {rows, columns, result->storage.data()};
  return result.release();
}

ModelOptions options_of(const roformer_model_options* given) {
  ModelOptions options;
  if (given == nullptr) return options;
  options.threads = given->threads;
  if (given->device != nullptr) options.device = given->device;
  options.max_length = given->max_length;
  if (given->max_batch_tokens != 0) options.max_batch_tokens = given->max_batch_tokens;
  return options;
}

EmbeddingPooling pooling_of(roformer_pooling pooling) {
  switch (pooling) {
    case ROFORMER_POOLING_MEAN: return EmbeddingPooling::mean;
    case ROFORMER_POOLING_CLS: return EmbeddingPooling::cls;
    case ROFORMER_POOLING_MAX: return EmbeddingPooling::max;
    case ROFORMER_POOLING_POOLER: return EmbeddingPooling::pooler;
  }
  throw UsageError("pooling {} is none of the four", static_cast<int>(pooling));
}

ModelShape shape_of(const roformer_trainer_options* given) {
  ModelShape shape;
  if (given == nullptr) return shape;
  if (given->hidden_size != 0) shape.hidden_size = given->hidden_size;
  if (given->layers != 0) shape.layers = given->layers;
  if (given->heads != 0) shape.heads = given->heads;
  return shape;
}

MaskedLanguageOptions training_of(const roformer_trainer_options* given) {
  MaskedLanguageOptions options;
  if (given == nullptr) return options;
  if (given->learning_rate != 0) options.learning_rate = given->learning_rate;
  if (given->max_length != 0) options.max_length = given->max_length;
  if (given->seed != 0) options.seed = given->seed;
  options.threads = given->threads;
  return options;
}

}  // namespace
}  // namespace roformer

using roformer::guarded;
using roformer::required;
using roformer::text_of;

const char* roformer_version(void) { return roformer::version(); }

roformer_status roformer_model_open(const char* directory, const roformer_model_options* options,
                                    roformer_model** model, roformer_error* error) {
  return guarded(error, [&] {
    required(model, "model");
    required(directory, "directory");
    *model = new roformer_model{roformer::TextModel::open(directory, roformer::options_of(options))};
  });
}

void roformer_model_free(roformer_model* model) { delete model; }

int64_t roformer_model_hidden_size(const roformer_model* model) {
  return model == nullptr ? 0 : model->model.hidden_size();
}

roformer_status roformer_tokenize(const roformer_model* model, const char* text, size_t length, const char* pair,
                                  size_t pair_length, roformer_tokens** tokens, roformer_error* error) {
  return guarded(error, [&] {
    required(tokens, "tokens");
    roformer::TokenizeOptions options;
    if (pair != nullptr) options.pair = text_of(pair, pair_length);
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
    roformer::HiddenStates states = required(model, "model").model.encode(text_of(text, length));
    *hidden_states = roformer::make_matrix(static_cast<size_t>(states.tokens), static_cast<size_t>(states.hidden_size),
                                           std::move(states.values));
  });
}

roformer_status roformer_embed(const roformer_model* model, const char* const* texts, const size_t* lengths,
                               size_t count, roformer_pooling pooling, int normalize, roformer_matrix** embeddings,
                               roformer_error* error) {
  return guarded(error, [&] {
    required(embeddings, "embeddings");
    const roformer::TextModel& inner = required(model, "model").model;
    const roformer::EmbeddingOptions options{roformer::pooling_of(pooling), normalize != 0};
    std::vector<float> values;
    for (const auto& embedding : inner.embed(roformer::texts_of(texts, lengths, count), options)) {
      values.insert(values.end(), embedding.values.begin(), embedding.values.end());
    }
    *embeddings = roformer::make_matrix(count, static_cast<size_t>(inner.hidden_size()), std::move(values));
  });
}

void roformer_matrix_free(roformer_matrix* matrix) { delete static_cast<roformer::MatrixResult*>(matrix); }

roformer_status roformer_fill_mask(const roformer_model* model, const char* text, size_t length, int64_t top_k,
                                   roformer_masks** masks, roformer_error* error) {
  return guarded(error, [&] {
    required(masks, "masks");
    auto result = std::make_unique<roformer::MasksResult>();
    result->filled = required(model, "model").model.fill_mask(text_of(text, length), top_k);
    for (const auto& list : result->filled) {
      for (const auto& c : list) result->list.push_back({c.token.c_str(), c.id, c.score});
    }
    static_cast<roformer_masks&>(*result) = {result->filled.size(), result->filled.front().size(), result->list.data()};
    *masks = result.release();
  });
}

void roformer_masks_free(roformer_masks* masks) { delete static_cast<roformer::MasksResult*>(masks); }

roformer_status roformer_trainer_create(const char* tokenizer_directory, const roformer_trainer_options* options,
                                        roformer_trainer** trainer, roformer_error* error) {
  return guarded(error, [&] {
    required(trainer, "trainer");
    required(tokenizer_directory, "tokenizer_directory");
    *trainer = new roformer_trainer{roformer::MaskedLanguageTrainer::create(
        tokenizer_directory, roformer::shape_of(options), roformer::training_of(options))};
  });
}

roformer_status roformer_trainer_open(const char* model_directory, const roformer_trainer_options* options,
                                      roformer_trainer** trainer, roformer_error* error) {
  return guarded(error, [&] {
    required(trainer, "trainer");
    required(model_directory, "model_directory");
    *trainer =
        new roformer_trainer{roformer::MaskedLanguageTrainer::open(model_directory, roformer::training_of(options))};
  });
}

void roformer_trainer_free(roformer_trainer* trainer) { delete trainer; }

roformer_status roformer_trainer_step(roformer_trainer* trainer, const char* const* texts, const size_t* lengths,
                                      size_t count, double* loss, roformer_error* error) {
  return guarded(error, [&] {
    const double mean = required(trainer, "trainer").trainer.step(roformer::texts_of(texts, lengths, count));
    if (loss != nullptr) *loss = mean;
  });
}

roformer_status roformer_trainer_save(const roformer_trainer* trainer, const char* directory, roformer_error* error) {
  return guarded(error, [&] {
    required(directory, "directory");
    required(trainer, "trainer").trainer.save(directory);
  });
}
