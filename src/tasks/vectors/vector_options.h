// The options of training sentence vectors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/setting.h"
#include "tasks/vectors/similarity_loss.h"

namespace roformer {

struct SimilarityOptions {
  std::string loss = "cosent";
  std::string score_range = "automatic";  // or LOW:HIGH
  double similarity_scale = 20;
  bool symmetric = false;
  int64_t hard_negatives = 0;
  bool refresh_negatives = false;
  std::string matryoshka;  // DIMENSIONS[:WEIGHT], …
};

// For which tasks these settings are; where they are not, why they are unused. All are used without a task. UsageError
// for an unknown one.
struct SimilarityUse {
  std::optional<Unused> of_vectors, of_scores, of_contrast, of_negatives;
};
SimilarityUse similarity_use(const std::string& task);

// `task` is a name, or empty.
template <OptionsOf<SimilarityOptions> Options>
void visit_similarity_settings(Options& options, const std::string& task, auto& visitor) {
  const SimilarityUse use = similarity_use(task);
  visitor.choice(options.loss,
                 {.name = "loss",
                  .help = "pair-similarity: cosent compares the order of pairs, cosine their similarities with the "
                          "scores",
                  .effect = Effect::result,
                  .unused = use.of_scores},
                 {"cosent", "cosine"});
  visitor.text(options.score_range,
               {.name = "score_range",
                .help = "pair-similarity with the loss cosine: the scores of cosines 0 and 1, as 0:5 (automatic: the "
                        "least and the largest score to train on)",
                .effect = Effect::result,
                .unused = use.of_scores},
               "LOW:HIGH");
  visitor.real(options.similarity_scale,
               {.name = "similarity_scale",
                .help = "multiplies cosines in the loss: 1 / temperature",
                .effect = Effect::result,
                .unused = use.of_vectors},
               {0, 1e4, true});
  visitor.flag(options.symmetric, {.name = "symmetric",
                                   .help = "contrastive: also tell each positive's anchor from the others of the batch",
                                   .effect = Effect::result,
                                   .unused = use.of_negatives});
  visitor.integer(options.hard_negatives,
                  {.name = "hard_negatives",
                   .help = "contrastive: also learn from so many of the most similar texts that are not an anchor's "
                           "positives, found by exact search before training; 0 = none",
                   .effect = Effect::result,
                   .unused = use.of_negatives},
                  {0, 1000});
  visitor.flag(options.refresh_negatives, {.name = "refresh_negatives",
                                           .help = "contrastive: find `hard_negatives` anew before each epoch",
                                           .effect = Effect::result,
                                           .unused = use.of_negatives});
  visitor.text(options.matryoshka,
               {.name = "matryoshka",
                .help = "train the first dimensions of vectors to be vectors, too: lengths, as 384,256,128, each "
                        "perhaps with a weight, as 128:0.5",
                .effect = Effect::result,
                .unused = use.of_vectors},
               "DIMENSIONS");
}

// The sizes of `matryoshka`; all dimensions without any. UsageError for anything else than different sizes from 1 to
// `width` with weights above 0.
std::vector<VectorSize> vector_sizes(const std::string& matryoshka, int64_t width);

// The two numbers of `score_range`; nothing for automatic. UsageError unless the first is less than the second.
struct ScoreRange {
  double low = 0, high = 1;
};
std::optional<ScoreRange> parse_score_range(const std::string& range);

}  // namespace roformer
