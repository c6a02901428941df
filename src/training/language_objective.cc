#include "training/language_objective.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/utf8.h"

namespace roformer {

void LabeledBatch::append(const MaskedSequence& sequence) {
  const auto first = static_cast<int32_t>(batch.tokens());
  batch.append(sequence.ids);
  for (const int32_t row : sequence.rows) rows.push_back(first + row);
  labels.insert(labels.end(), sequence.labels.begin(), sequence.labels.end());
}

LabeledBatch label_sequences(const Labeler& labeler, const PackedSequences& sequences, std::array<int64_t, 2> range,
                             RandomStream random, int64_t first) {
  LabeledBatch result;
  for (int64_t i = range[0]; i < range[1]; ++i) {
    result.append(labeler.label(sequences.sequence(i), substream(random, static_cast<uint64_t>(first + i))));
  }
  return result;
}

// Decoded together, as a byte tokenizer's characters may span sequences.
int64_t count_characters(const Tokenizer& tokenizer, const PackedSequences& sequences) {
  std::vector<int32_t> ids;
  ids.reserve(static_cast<size_t>(sequences.tokens()));
  for (int64_t i = 0; i < sequences.size(); ++i) {
    const std::span<const int32_t> sequence = sequences.sequence(i);
    ids.insert(ids.end(), sequence.begin(), sequence.end());
  }
  const int64_t unknown = tokenizer.has(SpecialToken::unk) ? std::ranges::count(ids, tokenizer.unk_id()) : 0;
  return count_code_points(tokenizer.decode(ids)) + unknown;
}

Loss language_loss(const Context& context, const Model& model, const LabeledBatch& batch, double gradient_scale) {
  const Value hidden = gather_rows(context, model.trunk().forward(context, batch.batch), batch.rows);
  return model.mlm_head().loss(context, hidden, model.trunk().word_embeddings(), {batch.labels, gradient_scale});
}

int64_t count_labels(std::span<const LabeledBatch> batches) {
  int64_t count = 0;
  for (const LabeledBatch& batch : batches) count += std::ssize(batch.labels);
  return count;
}

int64_t LabeledBatches::labels() const { return count_labels(batches_); }

Loss LabeledBatches::forward(const Context& context, int64_t micro_batch, double gradient_scale) {
  return language_loss(context, model_, batches_[static_cast<size_t>(micro_batch)], gradient_scale);
}

LanguageObjective::LanguageObjective(const Model& model, std::unique_ptr<Labeler> labeling,
                                     const LanguageOptions& options, std::unique_ptr<SequenceStream> training,
                                     PackedSequences validation, RandomStream random)
    : model_(model),
      labeler_(std::move(labeling)),
      options_(options),
      training_(std::move(training)),
      validation_(std::move(validation)),
      training_random_(substream(random, options.stage == 0 ? 1 : 2 + static_cast<uint64_t>(options.stage))),
      validation_random_(validation_random(random)),
      cursor_(training_->cursor()) {}

void LanguageObjective::prepare(int64_t step) {
  const int64_t per_step = options_.sequences_per_micro_batch * options_.accumulate;
  prepared_.assign(static_cast<size_t>(options_.accumulate), {});
  for (int64_t i = 0; i < per_step; ++i) {
    const auto visit = static_cast<uint64_t>((step - 1) * per_step + i);
    LabeledBatch& micro = prepared_[static_cast<size_t>(i / options_.sequences_per_micro_batch)];
    micro.append(labeler_->label(training_->next(), substream(training_random_, visit)));
  }
  cursor_ = training_->cursor();
}

Json LanguageObjective::cursor() const {
  Json cursor = {{"epoch", cursor_.epoch}, {"window", cursor_.window}, {"offset", cursor_.offset}};
  if (options_.stage > 0) cursor["stage"] = options_.stage;
  return cursor;
}

void LanguageObjective::resume(const JsonObject& cursor) {
  // After the last step of the stage before, this one begins its text.
  if (cursor.get_int("stage", 0, 0) != options_.stage) return;
  training_->seek({cursor.get_int("epoch", std::nullopt, 0), cursor.get_int("window", std::nullopt, 0),
                   cursor.get_int("offset", std::nullopt, 0)});
  cursor_ = training_->cursor();
}

int64_t LanguageObjective::labels() const { return count_labels(prepared_); }

int64_t LanguageObjective::tokens() const {
  int64_t count = 0;
  for (const LabeledBatch& micro : prepared_) count += micro.batch.tokens();
  return count;
}

Loss LanguageObjective::forward(const Context& context, int64_t micro_batch, double gradient_scale) {
  return language_loss(context, model_, prepared_[static_cast<size_t>(micro_batch)], gradient_scale);
}

Evaluation LanguageObjective::validate(const Context& context) {
  LossTotal total;
  const int64_t per_batch = options_.sequences_per_micro_batch;
  for (int64_t begin = 0; begin < validation_.size(); begin += per_batch) {
    const int64_t end = std::min(validation_.size(), begin + per_batch);
    const LabeledBatch micro = label_sequences(*labeler_, validation_, {begin, end}, validation_random_);
    total.add(language_loss(context, model_, micro, 0).read(), std::ssize(micro.labels));
  }
  Evaluation result = total.mean();
  if (total.labels > 0) {
    if (options_.perplexity) result.perplexity = std::exp(result.loss);
    if (options_.characters > 0) {
      result.bits_per_character = total.sum / (std::numbers::ln2 * static_cast<double>(options_.characters));
    }
  }
  return result;
}

double LanguageObjective::unigram_loss() const {
  std::vector<double> counts(static_cast<size_t>(model_.config().vocabulary), 1.0);
  auto total = static_cast<double>(labeler_->predictable_tokens());
  for (const std::span<const int32_t> sequence : training_->window()) {
    for (size_t i = 0; i < sequence.size(); ++i) {
      if (!labeler_->predictable(sequence, i)) continue;
      counts[static_cast<size_t>(sequence[i])] += 1;
      total += 1;
    }
  }
  double sum = 0;
  int64_t tokens = 0;
  for (int64_t s = 0; s < validation_.size(); ++s) {
    const std::span<const int32_t> sequence = validation_.sequence(s);
    for (size_t i = 0; i < sequence.size(); ++i) {
      if (!labeler_->predictable(sequence, i)) continue;
      sum -= std::log(counts[static_cast<size_t>(sequence[i])] / total);
      ++tokens;
    }
  }
  return tokens > 0 ? sum / static_cast<double>(tokens) : 0;
}

}  // namespace roformer
