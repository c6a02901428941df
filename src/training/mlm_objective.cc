#include "training/mlm_objective.h"

#include <algorithm>
#include <cmath>

namespace roformer {

MlmObjective::MlmObjective(const Model& model, const Tokenizer& tokenizer, const MlmOptions& options,
                           SequenceStream& training, PackedSequences validation, RandomStream random)
    : model_(model),
      options_(options),
      vocabulary_(tokenizer),
      training_(training),
      validation_(std::move(validation)),
      mask_random_(substream(random, 1)),
      validation_random_(substream(random, 2)),
      place_(training.place()) {}

void MlmObjective::append(std::span<const int32_t> sequence, const MaskedSequence& masked, MicroBatch& micro) {
  const auto first = static_cast<int32_t>(micro.batch.tokens());
  micro.batch.append(masked.ids.empty() ? sequence : std::span<const int32_t>(masked.ids));
  for (const int32_t row : masked.rows) micro.rows.push_back(first + row);
  micro.labels.insert(micro.labels.end(), masked.labels.begin(), masked.labels.end());
}

void MlmObjective::prepare(int64_t step) {
  const int64_t per_step = options_.sequences_per_micro_batch * options_.accumulate;
  prepared_.assign(static_cast<size_t>(options_.accumulate), {});
  for (int64_t i = 0; i < per_step; ++i) {
    const int64_t position = (step - 1) * per_step + i;
    const auto sequence = training_.next();
    const auto stream = substream(mask_random_, static_cast<uint64_t>(position));
    append(sequence, mask_sequence(sequence, options_.masking, vocabulary_, stream),
           prepared_[static_cast<size_t>(i / options_.sequences_per_micro_batch)]);
  }
  place_ = training_.place();
}

Json MlmObjective::place() const {
  return {{"epoch", place_.epoch}, {"window", place_.window}, {"offset", place_.offset}};
}

void MlmObjective::resume(const JsonObject& place) {
  training_.seek({place.get_int("epoch", std::nullopt, 0), place.get_int("window", std::nullopt, 0),
                  place.get_int("offset", std::nullopt, 0)});
  place_ = training_.place();
}

int64_t MlmObjective::labels() const {
  int64_t count = 0;
  for (const MicroBatch& micro : prepared_) count += static_cast<int64_t>(micro.labels.size());
  return count;
}

int64_t MlmObjective::tokens() const {
  int64_t count = 0;
  for (const MicroBatch& micro : prepared_) count += micro.batch.tokens();
  return count;
}

LossSum MlmObjective::loss(const Context& context, const MicroBatch& micro, double gradient_scale) const {
  const Value hidden = gather_rows(context, model_.encoder().forward(context, micro.batch), micro.rows);
  return model_.mlm_head().loss(context, hidden, model_.encoder().words(), micro.labels, gradient_scale);
}

LossSum MlmObjective::forward(const Context& context, int64_t micro_batch, double gradient_scale) {
  return loss(context, prepared_[static_cast<size_t>(micro_batch)], gradient_scale);
}

Evaluation MlmObjective::validate(const Context& context) {
  Evaluation result;
  double sum = 0;
  int64_t correct = 0;
  const int64_t per_batch = options_.sequences_per_micro_batch;
  for (int64_t begin = 0; begin < validation_.size(); begin += per_batch) {
    MicroBatch micro;
    for (int64_t i = begin; i < std::min(validation_.size(), begin + per_batch); ++i) {
      const auto stream = substream(validation_random_, static_cast<uint64_t>(i));
      append(validation_.sequence(i), mask_sequence(validation_.sequence(i), options_.masking, vocabulary_, stream),
             micro);
    }
    const LossSum part = loss(context, micro, 0);
    sum += part.sum;
    correct += part.correct;
    result.labels += static_cast<int64_t>(micro.labels.size());
  }
  if (result.labels > 0) {
    result.loss = sum / static_cast<double>(result.labels);
    result.accuracy = static_cast<double>(correct) / static_cast<double>(result.labels);
  }
  return result;
}

double MlmObjective::unigram_loss() const {
  std::vector<double> counts(vocabulary_.special.size(), 1.0);
  double total = static_cast<double>(vocabulary_.ordinary.size());
  for (const std::span<const int32_t> sequence : training_.window()) {
    for (const int32_t id : sequence) {
      if (vocabulary_.special[static_cast<size_t>(id)]) continue;
      counts[static_cast<size_t>(id)] += 1;
      total += 1;
    }
  }
  double sum = 0;
  int64_t tokens = 0;
  for (int64_t i = 0; i < validation_.size(); ++i) {
    for (const int32_t id : validation_.sequence(i)) {
      if (vocabulary_.special[static_cast<size_t>(id)]) continue;
      sum -= std::log(counts[static_cast<size_t>(id)] / total);
      ++tokens;
    }
  }
  return tokens > 0 ? sum / static_cast<double>(tokens) : 0;
}

}  // namespace roformer
