#include "tasks/translation/translation_objective.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace roformer {

std::vector<PairLength> PairSequences::lengths() const {
  std::vector<PairLength> lengths;
  lengths.reserve(static_cast<size_t>(size()));
  for (int64_t i = 0; i < size(); ++i) {
    lengths.push_back(
        {static_cast<int32_t>(source.sequence(i).size()), static_cast<int32_t>(target.sequence(i).size())});
  }
  return lengths;
}

void PairBatch::append(std::span<const int32_t> source_ids, std::span<const int32_t> target_ids, int32_t start_id) {
  source.append(source_ids);
  std::vector<int32_t> shifted{start_id};
  shifted.insert(shifted.end(), target_ids.begin(), target_ids.end() - 1);
  decoder.append(shifted);
  labels.insert(labels.end(), target_ids.begin(), target_ids.end());
}

PairBatch pair_batch(const PairSequences& pairs, std::span<const int32_t> which, int32_t start_id) {
  PairBatch batch;
  for (const int32_t pair : which) batch.append(pairs.source.sequence(pair), pairs.target.sequence(pair), start_id);
  return batch;
}

Loss translation_loss(const Context& context, const Model& model, const PairBatch& batch, double gradient_scale,
                      double label_smoothing) {
  const TransformerStack& decoder = model.trunk();
  const Value memory = model.encoder().forward(context, batch.source, {.first_site = decoder.dropout_sites()});
  const Value hidden =
      decoder.forward(context, batch.decoder, {.memory = memory, .memory_offsets = batch.source.offsets});
  return model.mlm_head().loss(context, hidden, decoder.word_embeddings(),
                               {batch.labels, gradient_scale, label_smoothing});
}

TranslationObjective::TranslationObjective(const Model& model, PairSequences training, PairSequences validation,
                                           const TranslationObjectiveOptions& options, Measure measure,
                                           RandomStream random)
    : model_(model),
      training_(std::move(training)),
      validation_(std::move(validation)),
      lengths_(training_.lengths()),
      options_(options),
      measure_(std::move(measure)),
      random_(random),
      start_id_(static_cast<int32_t>(model.config().start_id.value_or(0))) {}

int64_t TranslationObjective::count_batches(const PairSequences& training, int64_t batch_tokens, RandomStream random,
                                            double epochs) {
  const std::vector<PairLength> lengths = training.lengths();
  const auto of_epoch = [&](int64_t epoch) { return std::ssize(pair_batches(lengths, batch_tokens, random, epoch)); };
  const auto whole = static_cast<int64_t>(epochs);
  int64_t count = 0;
  for (int64_t epoch = 0; epoch < whole; ++epoch) count += of_epoch(epoch);
  const double rest = epochs - static_cast<double>(whole);
  if (rest > 0) count += static_cast<int64_t>(std::ceil(rest * static_cast<double>(of_epoch(whole))));
  return count;
}

PairBatch TranslationObjective::next_batch() {
  if (batches_.empty()) batches_ = pair_batches(lengths_, options_.batch_tokens, random_, epoch_);
  if (next_ == std::ssize(batches_)) {
    next_ = 0;
    batches_ = pair_batches(lengths_, options_.batch_tokens, random_, ++epoch_);
  }
  return pair_batch(training_, batches_[static_cast<size_t>(next_++)], start_id_);
}

void TranslationObjective::prepare(int64_t /*step*/) {
  prepared_.clear();
  for (int64_t i = 0; i < options_.accumulate; ++i) prepared_.push_back(next_batch());
}

Json TranslationObjective::cursor() const { return {{"epoch", epoch_}, {"batch", next_}}; }

void TranslationObjective::resume(const JsonObject& cursor) {
  epoch_ = cursor.get_int("epoch", std::nullopt, 0);
  batches_ = pair_batches(lengths_, options_.batch_tokens, random_, epoch_);
  next_ = cursor.get_int("batch", std::nullopt, 0, std::ssize(batches_));
}

int64_t TranslationObjective::labels() const {
  int64_t count = 0;
  for (const PairBatch& batch : prepared_) count += std::ssize(batch.labels);
  return count;
}

Loss TranslationObjective::forward(const Context& context, int64_t micro_batch, double gradient_scale) {
  return translation_loss(context, model_, prepared_[static_cast<size_t>(micro_batch)], gradient_scale,
                          options_.label_smoothing);
}

Evaluation TranslationObjective::validate(const Context& context) {
  LossTotal total;
  for (const std::vector<int32_t>& which : pair_batches_in_order(validation_.lengths(), options_.batch_tokens)) {
    const PairBatch batch = pair_batch(validation_, which, start_id_);
    total.add(translation_loss(context, model_, batch, 0, 0).read(), std::ssize(batch.labels));
  }
  Evaluation evaluation = total.mean();
  evaluation.perplexity = std::exp(evaluation.loss);
  measure_(evaluation);
  return evaluation;
}

}  // namespace roformer
