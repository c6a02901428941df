// The loss of a trained model on sequences of other lengths than in training, with and without methods that extend its
// position encoding. The scores of a run are stored in its directory, lengths.json.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/packed_sequences.h"
#include "models/config.h"
#include "training/pretrain.h"

namespace roformer {

// The validation text of `options` packed into sequences of each length. Only whole sequences count, and of a long text
// the first 262,144 tokens.
struct LengthTexts {
  std::map<int64_t, PackedSequences> by_length;
  std::string content_hash;
};
// UsageError for a length below 3, DataError and FileError for the text.
LengthTexts pack_lengths(const PretrainOptions& options, const std::vector<int64_t>& lengths,
                         const Tokenizer& tokenizer, ThreadPool& pool);

// A model at a length. Where there can be no score, `reason` says why and the rest is empty.
struct LengthScore {
  std::string scaling;  // "" as trained; "linear", "ntk", "dynamic-ntk", "yarn"; "hierarchical"
  int64_t length = 0;
  std::string reason;
  Evaluation evaluation;
  std::vector<double>
      position_loss;  // of up to 16 equal parts of a sequence, first to last; 0 where nothing was predicted
};

// How a model of `config`, trained on sequences of `trained` tokens, can be run on those of `length`: as it is, and,
// beyond `trained`, with its rotary frequencies scaled by length / trained, or with its position table, cut to the rows
// that were trained, extended hierarchically. The weights are the same.
struct LengthVariant {
  std::string scaling;
  ModelConfig config;
  std::string reason;  // why it cannot, or empty
};
std::vector<LengthVariant> length_variants(const ModelConfig& config, int64_t trained, int64_t length);

// Evaluates the finished run `directory` at all lengths of `texts`, labels as `options` says. Scores that lengths.json
// contains for the same text and settings are reused; it is rewritten after each one. Interrupted between two.
std::vector<LengthScore> evaluate_lengths(const std::string& directory, const LengthTexts& texts,
                                          const PretrainOptions& options, int64_t trained, Backend& backend,
                                          const Progress::Output& messages);

// The scores in lengths.json of a run, empty if it is absent. DataError if it is damaged.
std::vector<LengthScore> read_length_scores(const std::string& directory);

}  // namespace roformer
