// The validation loss of predicting each token by its frequency (LanguageObjective::unigram_loss), kept in a training
// directory as unigram.json: a model above it has not learned to use context.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/plot.h"

namespace roformer {

// Writes it for a training directory that has none yet. `loss` is in nats per predicted token; 0 where nothing is
// predicted, which is not written.
void write_unigram_loss(double loss, const std::string& run);
// None of a training of an older version. DataError for a damaged file.
std::optional<double> read_unigram_loss(const std::string& run);

// How exact it is as a bound for a loss, in nats: labels are a sample of the tokens, and of a large text the tokens of
// a part are counted, which differs between seeds.
constexpr double kUnigramPrecision = 0.05;

// The level to draw in a plot of the runs' validation losses: one if all have it and it is the same to that precision,
// else none.
std::vector<PlotLevel> unigram_levels(const std::vector<std::string>& runs);

}  // namespace roformer
