// The figures of docs/rope.md: rotary positions, drawn from the same angles that models use.
#pragma once

#include <cstdint>
#include <string>

#include "report/plot.h"

namespace roformer {

// UsageError for an odd dim; the ranges of the others are those of the command line (cli/rope.cc).
struct RopeFigureOptions {
  int64_t dim = 128;  // even
  double base = 10000;
  int64_t max_distance = 256;         // decay, scores
  int64_t seed = 1;                   // decay, scores: the random vectors
  double factor = 8;                  // scaling
  int64_t original_positions = 4096;  // scaling
};

// One pair: a vector at positions 0 … 7, and a query and a key before and after both move on. Takes no options: a pair
// that turns by half a radian per token shows it best.
std::string rope_rotation_figure();

// Eight of the pairs, fast to slow, as hands of clocks at some positions.
std::string rope_clock_figure(const RopeFigureOptions& options);

// Long-term decay (Eq. 35-37), both curves 1 at distance 0: the mean of |S_i|, and the score of a vector with itself,
// its mean over random vectors with a band from the lowest to the highest.
Plot rope_decay_plot(const RopeFigureOptions& options);

// The score of one random query word and key word by the distance of the key, through random projections: rotated, and
// with sinusoids added before the projections, where it depends on the query's position, too: the mean over 256 of them
// with a band from the lowest to the highest.
Plot rope_scores_plot(const RopeFigureOptions& options);

// The fraction of its speed θ that each pair retains when the context is extended by `factor`.
Plot rope_scaling_plot(const RopeFigureOptions& options);

}  // namespace roformer
