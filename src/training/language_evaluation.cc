#include "training/language_evaluation.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "data/corpus.h"
#include "training/language_objective.h"
#include "training/pretrain.h"

namespace roformer {

namespace {

// What a mean is made of: the sum and the labels of each sequence.
struct Share {
  double sum = 0;
  int64_t labels = 0;
};

std::optional<Bounds> interval_of(double mean, const std::vector<Share>& shares, int64_t labels) {
  const int64_t count = std::ssize(shares);
  if (count < 2) return std::nullopt;
  double squares = 0;
  for (const Share& share : shares) {
    const double residual = share.sum - mean * static_cast<double>(share.labels);
    squares += residual * residual;
  }
  constexpr int64_t kMaxDegrees = 10'000;  // Student's distribution is the normal one by then
  const auto m = static_cast<double>(count);
  const double error = std::sqrt(squares * m / (m - 1)) / static_cast<double>(labels);
  const double half = student_t(0.95, std::min(count - 1, kMaxDegrees)) * error;
  return Bounds{mean - half, mean + half};
}

class Scorer {
 public:
  Scorer(const Context& context, const Model& model) : context_(context), model_(model) {}

  // One pass; the head takes each sequence alone.
  void add(const LabeledBatch& batch) {
    const Value hidden = model_.trunk().forward(context_, batch.batch);
    size_t begin = 0;
    for (int64_t s = 0; s < batch.batch.sequences(); ++s) {
      const int32_t last = batch.batch.offsets[static_cast<size_t>(s) + 1];
      size_t end = begin;
      while (end < batch.rows.size() && batch.rows[end] < last) ++end;
      if (end == begin) continue;
      const std::span<const int32_t> rows = std::span(batch.rows).subspan(begin, end - begin);
      const std::span<const int32_t> labels = std::span(batch.labels).subspan(begin, end - begin);
      begin = end;
      const LossSum loss =
          model_.mlm_head()
              .loss(context_, gather_rows(context_, hidden, rows), model_.trunk().word_embeddings(), {labels, 0})
              .read();
      total_.add(loss, std::ssize(labels));
      losses_.push_back({loss.sum, std::ssize(labels)});
      correct_.push_back({static_cast<double>(loss.correct), std::ssize(labels)});
    }
  }

  LanguageScore score() const {
    LanguageScore score{.mean = total_.mean(), .sequences = std::ssize(losses_), .loss = {}, .accuracy = {}};
    score.mean.perplexity = std::exp(score.mean.loss);
    score.loss = interval_of(score.mean.loss, losses_, total_.labels);
    score.accuracy = interval_of(score.mean.accuracy.value_or(0), correct_, total_.labels);
    if (score.accuracy) {
      for (double& bound : *score.accuracy) bound = std::clamp(bound, 0.0, 1.0);
    }
    return score;
  }

 private:
  const Context& context_;
  const Model& model_;
  LossTotal total_;
  std::vector<Share> losses_, correct_;
};

}  // namespace

LanguageScore evaluate_language(const Model& model, const Tokenizer& tokenizer, const PretrainOptions& options) {
  const int64_t max_length = options.max_length.value();
  const int64_t rows = model.config().vocabulary;
  const Corpus corpus(options.data,
                      {.rule = parse_document_rule(options.documents),
                       .max_length = max_length,
                       .rows = rows,
                       .stop_token = options.stop_token},
                      tokenizer);
  if (options.undivided && corpus.undivided()) options.undivided(*corpus.undivided());
  const auto labeler = make_labeler(options, tokenizer, rows);
  const int64_t per_batch = std::max<int64_t>(1, options.batch_tokens.value() / max_length);
  const RandomStream masks = validation_masks(options.seed);
  const Context context{.backend = model.backend(), .stop = options.stop_token};
  Scorer scorer(context, model);
  Progress progress({.label = "evaluate", .unit = "sequence"}, options.messages);
  int64_t first = 0;
  for (int64_t block = 0; block < corpus.blocks(); ++block) {
    const auto sequences = corpus.load(block, model.backend().pool());
    for (int64_t begin = 0; begin < sequences->size(); begin += per_batch) {
      const int64_t end = std::min(sequences->size(), begin + per_batch);
      scorer.add(label_sequences(*labeler, *sequences, {begin, end}, masks, first));
      const double within = static_cast<double>(end) / static_cast<double>(sequences->size());
      progress.update(first + end, {}, (static_cast<double>(block) + within) / static_cast<double>(corpus.blocks()));
    }
    first += sequences->size();
  }
  const LanguageScore score = scorer.score();
  if (score.mean.labels == 0) throw DataError("{}: no token to predict", FilePath(corpus.name()));
  if (!std::isfinite(score.mean.loss)) {
    throw DataError("{}: the loss is {}", FilePath(corpus.name()),
                    std::isnan(score.mean.loss) ? "not a number" : "infinite");
  }
  return score;
}

}  // namespace roformer
