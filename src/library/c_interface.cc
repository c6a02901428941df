// roformer.h over the C++ classes: checks every pointer, turns exceptions into a status and a message.
#include "roformer/roformer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "roformer/masked_language_trainer.h"
#include "roformer/text_model.h"
#include "roformer/version.h"

namespace roformer {
namespace {

// Shared by a roformer_stop and what was opened with it.
class StopSwitch {
 public:
  void request() {
    const std::lock_guard lock(mutex_);
    source_.request_stop();
  }
  void reset() {
    const std::lock_guard lock(mutex_);
    source_ = std::stop_source();
  }
  std::stop_token token() const {
    const std::lock_guard lock(mutex_);
    return source_.get_token();
  }

 private:
  mutable std::mutex mutex_;
  std::stop_source source_;
};

}  // namespace
}  // namespace roformer

struct roformer_stop {
  std::shared_ptr<roformer::StopSwitch> inner = std::make_shared<roformer::StopSwitch>();
};

struct roformer_model {
  roformer::TextModel model;
  std::shared_ptr<roformer::StopSwitch> stop;
};

struct roformer_trainer {
  roformer::MaskedLanguageTrainer trainer;
  std::shared_ptr<roformer::StopSwitch> stop;
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
    case ErrorKind::data: return ROFORMER_DATA_ERROR;
    case ErrorKind::interrupted: return ROFORMER_INTERRUPTED;
    case ErrorKind::file: return ROFORMER_FILE_ERROR;
    case ErrorKind::shape: break;
  }
  return ROFORMER_INTERNAL_ERROR;
}

roformer_status report(roformer_error* error, roformer_status status, std::string_view message) {
  if (error == nullptr) return status;
  const size_t length = first_bytes(message, sizeof(error->message) - 1).size();
  error->status = status;
  std::memcpy(error->message, message.data(), length);
  error->message[length] = '\0';
  return status;
}

// What roformer_last_error() tells of, a text for each roformer_error_detail.
thread_local std::array<std::string, 5> last_error;

void remember(const ErrorDetail& detail) {
  last_error = {detail.field, detail.path, detail.key, detail.tensor,
                detail.line > 0 ? std::to_string(detail.line) : std::string()};
}

template <class Body>
roformer_status guarded(roformer_error* error, Body&& body) noexcept {
  for (std::string& text : last_error) text.clear();
  try {
    body();
    return report(error, ROFORMER_OK, "");
  } catch (const Error& caught) {
    try {
      remember(caught.detail());
    } catch (const std::bad_alloc&) {
      // the message is more important
    }
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
  if (pointer == nullptr) throw UsageError("{} is NULL", FieldName(name));
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

// The caller's options, of whichever version: `first` bytes had the oldest one. Fields that it does not have are 0.
template <class Options>
Options known_options(const Options* given, const char* name, size_t first) {
  Options options{};
  if (given == nullptr) return options;
  constexpr size_t kMost = 1 << 16;
  const size_t size = given->struct_size;
  if (size < first || size > kMost) {
    throw UsageError("{} of {} is {}, expected the struct's size: start from its _INIT", FieldName("struct_size"), name,
                     size);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (std::any_of(bytes + std::min(size, sizeof(Options)), bytes + size,
                  [](unsigned char byte) { return byte != 0; })) {
    throw UsageError("{} of {} is {}: it sets options of a library newer than this one ({})", FieldName("struct_size"),
                     name, size, version());
  }
  std::memcpy(&options, given, std::min(size, sizeof(Options)));
  return options;
}

roformer_model_options known_options(const roformer_model_options* given) {
  return known_options(given, "roformer_model_options", offsetof(roformer_model_options, dtype));
}
roformer_trainer_options known_options(const roformer_trainer_options* given) {
  return known_options(given, "roformer_trainer_options", offsetof(roformer_trainer_options, dtype));
}

ModelOptions options_of(const roformer_model_options& given) {
  ModelOptions options;
  options.threads = given.threads;
  if (given.device != nullptr) options.device = given.device;
  if (given.dtype != nullptr) options.dtype = given.dtype;
  options.max_length = given.max_length;
  if (given.max_batch_tokens != 0) options.max_batch_tokens = given.max_batch_tokens;
  return options;
}

std::shared_ptr<StopSwitch> switch_of(const roformer_stop* stop) {
  return stop != nullptr ? stop->inner : std::make_shared<StopSwitch>();
}

EmbeddingPooling pooling_of(roformer_pooling pooling) {
  switch (pooling) {
    case ROFORMER_POOLING_MEAN: return EmbeddingPooling::mean;
    case ROFORMER_POOLING_CLS: return EmbeddingPooling::cls;
    case ROFORMER_POOLING_MAX: return EmbeddingPooling::max;
    case ROFORMER_POOLING_POOLER: return EmbeddingPooling::pooler;
  }
  throw UsageError("{} {} is none of the four", FieldName("pooling"), static_cast<int>(pooling));
}

ModelShape shape_of(const roformer_trainer_options& given) {
  ModelShape shape;
  if (given.hidden_size != 0) shape.hidden_size = given.hidden_size;
  if (given.layers != 0) shape.layers = given.layers;
  if (given.heads != 0) shape.heads = given.heads;
  return shape;
}

MaskedLanguageOptions training_of(const roformer_trainer_options& given) {
  MaskedLanguageOptions options;
  if (given.learning_rate != 0) options.learning_rate = given.learning_rate;
  if (given.max_length != 0) options.max_length = given.max_length;
  if (given.seed != 0) options.seed = given.seed;
  options.threads = given.threads;
  if (given.dtype != nullptr) options.dtype = given.dtype;
  return options;
}

}  // namespace
}  // namespace roformer

using roformer::guarded;
using roformer::required;
using roformer::text_of;

const char* roformer_version(void) { return roformer::version(); }

const char* roformer_last_error(roformer_error_detail detail) {
  const auto index = static_cast<size_t>(detail);
  return index < roformer::last_error.size() ? roformer::last_error[index].c_str() : "";
}

roformer_stop* roformer_stop_new(void) {
  try {
    return new roformer_stop;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void roformer_stop_request(roformer_stop* stop) {
  if (stop != nullptr) stop->inner->request();
}

void roformer_stop_reset(roformer_stop* stop) {
  if (stop != nullptr) stop->inner->reset();
}

void roformer_stop_free(roformer_stop* stop) { delete stop; }

roformer_status roformer_model_open(const char* directory, const roformer_model_options* options,
                                    roformer_model** model, roformer_error* error) {
  return guarded(error, [&] {
    required(model, "model");
    required(directory, "directory");
    const roformer_model_options known = roformer::known_options(options);
    *model = new roformer_model{roformer::TextModel::open(directory, roformer::options_of(known)),
                                roformer::switch_of(known.stop)};
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
    const roformer_model& opened = required(model, "model");
    roformer::HiddenStates states = opened.model.encode(text_of(text, length), opened.stop->token());
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
    for (const auto& embedding :
         inner.embed(roformer::texts_of(texts, lengths, count), options, model->stop->token())) {
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

roformer_status roformer_trainer_create(const char* tokenizer_directory, const roformer_trainer_options* options,
                                        roformer_trainer** trainer, roformer_error* error) {
  return guarded(error, [&] {
    required(trainer, "trainer");
    required(tokenizer_directory, "tokenizer_directory");
    const roformer_trainer_options known = roformer::known_options(options);
    *trainer = new roformer_trainer{roformer::MaskedLanguageTrainer::create(
                                        tokenizer_directory, roformer::shape_of(known), roformer::training_of(known)),
                                    roformer::switch_of(known.stop)};
  });
}

roformer_status roformer_trainer_open(const char* model_directory, const roformer_trainer_options* options,
                                      roformer_trainer** trainer, roformer_error* error) {
  return guarded(error, [&] {
    required(trainer, "trainer");
    required(model_directory, "model_directory");
    const roformer_trainer_options known = roformer::known_options(options);
    *trainer =
        new roformer_trainer{roformer::MaskedLanguageTrainer::open(model_directory, roformer::training_of(known)),
                             roformer::switch_of(known.stop)};
  });
}

void roformer_trainer_free(roformer_trainer* trainer) { delete trainer; }

roformer_status roformer_trainer_step(roformer_trainer* trainer, const char* const* texts, const size_t* lengths,
                                      size_t count, double* loss, roformer_error* error) {
  return guarded(error, [&] {
    roformer_trainer& opened = required(trainer, "trainer");
    const double mean = opened.trainer.step(roformer::texts_of(texts, lengths, count), opened.stop->token());
    if (loss != nullptr) *loss = mean;
  });
}

roformer_status roformer_trainer_save(const roformer_trainer* trainer, const char* directory, roformer_error* error) {
  return guarded(error, [&] {
    required(directory, "directory");
    required(trainer, "trainer").trainer.save(directory);
  });
}
