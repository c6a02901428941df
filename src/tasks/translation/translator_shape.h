// The shape of a translator to train: a preset with overrides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/setting.h"
#include "models/config.h"
#include "models/shape_settings.h"

namespace roformer {

// transformer: this project's own format, for every shape. roformer: transformers' EncoderDecoderModel of a RoFormer
// encoder and decoder. marian: a MarianMTModel.
const std::vector<std::string>& translator_form_names();

struct TranslatorShape {
  std::string preset = "transformer-tiny";
  std::string form = "transformer";
  std::optional<int64_t> hidden_size, layers, decoder_layers, heads, intermediate_size;
  std::optional<std::string> position;  // one of position_names(), in both halves
  PositionOptions position_options;
  std::optional<std::string> norm;  // "pre" or "post"
  std::optional<double> dropout;
  double attention_dropout = 0;
  bool separate_embeddings = false, untied = false;
};

template <OptionsOf<TranslatorShape> Options>
void visit_settings(Options& options, auto& visitor);

// A preset's shape, and how it is trained unless options say otherwise.
struct TranslatorPreset {
  const char* name;
  int64_t layers, hidden, intermediate, heads;  // layers of either half
  bool pre_norm;
  double dropout;
  int64_t vocabulary;    // of learned tokenizers
  int64_t batch_tokens;  // of either side
  double learning_rate;
  const char* schedule;
  int64_t warmup;  // steps, at most a tenth of the run
  double epochs;
  int64_t steps;            // of a run, where it is not in epochs
  int64_t average;          // snapshots
  int64_t least_steps = 0;  // of a run in epochs: shorter ones have smaller batches, of a quarter at least
};

const std::vector<std::string>& translator_preset_names();
const TranslatorPreset& translator_preset(const std::string& name);  // UsageError for other names

// What the tokenizers decide of a config.
struct TranslatorVocabulary {
  int64_t source = 0, target = 0;
  bool shared = true;
  int64_t pad_id = 0, end_id = 0;
};

// The complete config. UsageError for what the form cannot express, and shared embeddings of separate vocabularies are
// made separate.
ModelConfig translator_config(const TranslatorShape& shape, const TranslatorVocabulary& vocabulary, int64_t max_tokens);

template <OptionsOf<TranslatorShape> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.choice(options.preset, {"preset", "shape and defaults of the training to start from"},
                 translator_preset_names());
  visitor.choice(options.form,
                 {"form",
                  "whose model it is: this project's own with any positions, a RoFormer encoder and decoder as "
                  "transformers' EncoderDecoderModel, or a Marian (sinusoidal, post-norm)"},
                 translator_form_names());
  visitor.integer(options.hidden_size, {"hidden_size", "width of the layers"}, {1, 65536});
  visitor.integer(options.layers, {"layers", "layers of the encoder, and of the decoder unless `decoder_layers` says"},
                  {1, 1000});
  visitor.integer(options.decoder_layers, {"decoder_layers", "layers of the decoder"}, {1, 1000});
  visitor.integer(options.heads, {"heads", "attention heads per layer"}, {1, 65536});
  visitor.integer(options.intermediate_size, {"intermediate_size", "width of the feed-forward networks"}, {1, 262144});
  visitor.text(options.position,
               {"position", fmt::format("position encoding of both halves (default: rotary; marian: sinusoidal): {}",
                                        fmt::join(position_names(), ", "))},
               "NAME");
  visit_settings(options.position_options, visitor);
  visitor.text(options.norm, {"norm", "where layers have their norms: pre or post (default: the preset's)"}, "NAME");
  visitor.real(options.dropout, {"dropout", "dropout probability of hidden states (default: the preset's)"},
               {0, 1, false, true});
  visitor.real(options.attention_dropout, {"attention_dropout", "dropout probability of attention weights"},
               {0, 1, false, true});
  visitor.flag(options.separate_embeddings,
               {"separate_embeddings", "word embeddings of the encoder's own, also with a shared vocabulary"});
  visitor.flag(options.untied, {"untied", "output weights of their own, instead of the decoder's word embeddings"});
}

}  // namespace roformer
