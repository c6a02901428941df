// The trainer of roformer.h over the C++ class.
#include "library/c_support.h"
#include "roformer/masked_language_trainer.h"

struct roformer_trainer {
  roformer::MaskedLanguageTrainer trainer;
  std::shared_ptr<roformer::StopSwitch> stop;
};

namespace roformer {
namespace {

roformer_trainer_options known_trainer_options(const roformer_trainer_options* given) {
  return known_options(given, "roformer_trainer_options", offsetof(roformer_trainer_options, dtype));
}

ModelShape shape_of(const roformer_trainer_options& given) {
  ModelShape shape;
  set_if_given(shape.hidden_size, given.hidden_size);
  set_if_given(shape.layers, given.layers);
  set_if_given(shape.heads, given.heads);
  set_if_given(shape.intermediate_size, given.intermediate_size);
  set_if_given(shape.position, given.position);
  set_or_none(shape.dropout, given.dropout);
  return shape;
}

MaskedLanguageOptions training_of(const roformer_trainer_options& given) {
  MaskedLanguageOptions options;
  if (given.learning_rate != 0) options.learning_rate = given.learning_rate;
  options.warmup = given.warmup;
  set_or_none(options.weight_decay, given.weight_decay);
  set_or_none(options.clip_norm, given.clip_norm);
  set_if_given(options.mask_probability, given.mask_probability);
  options.whole_words = given.whole_words != 0;
  set_if_given(options.max_length, given.max_length);
  set_if_given(options.max_batch_tokens, given.max_batch_tokens);
  set_if_given(options.seed, given.seed);
  options.threads = given.threads;
  set_if_given(options.device, given.device);
  set_if_given(options.dtype, given.dtype);
  return options;
}

}  // namespace
}  // namespace roformer

using roformer::guarded;
using roformer::required;

roformer_status roformer_trainer_create(const char* tokenizer_directory, const roformer_trainer_options* options,
                                        roformer_trainer** trainer, roformer_error* error) {
  return guarded(error, [&] {
    required(trainer, "trainer");
    required(tokenizer_directory, "tokenizer_directory");
    const roformer_trainer_options known = roformer::known_trainer_options(options);
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
    const roformer_trainer_options known = roformer::known_trainer_options(options);
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

const char* roformer_trainer_ignored_setting(const roformer_trainer* trainer, size_t index) {
  return trainer == nullptr ? nullptr : roformer::element_of(trainer->trainer.ignored_settings(), index);
}

roformer_status roformer_trainer_validate(const roformer_trainer* trainer, const char* const* texts,
                                          const size_t* lengths, size_t count, roformer_score* score,
                                          roformer_error* error) {
  return guarded(error, [&] {
    required(score, "score");
    const roformer_trainer& opened = required(trainer, "trainer");
    const auto found = opened.trainer.validate(roformer::texts_of(texts, lengths, count), opened.stop->token());
    *score = {found.loss, found.accuracy, found.masked};
  });
}

roformer_status roformer_trainer_save(const roformer_trainer* trainer, const char* directory, roformer_error* error) {
  return guarded(error, [&] {
    required(directory, "directory");
    required(trainer, "trainer").trainer.save(directory);
  });
}
