#include "tasks/vectors/sim_objective.h"

#include <utility>

namespace roformer {

SimObjective::SimObjective(const Model& model, const VectorInputs& inputs, SimOptions sim,
                           const VectorObjectiveOptions& options, Validate validate, RandomStream random)
    : VectorObjective(model, inputs, options, std::move(validate), random),
      partners_(find_partners(inputs)),
      sim_(std::move(sim)) {}

void SimObjective::compose(int64_t step, int64_t, std::span<const int64_t> rows) {
  ContrastiveBatch batch;
  for (const int64_t row : rows) {
    const std::vector<int32_t>& example = inputs().examples[static_cast<size_t>(row)];
    batch.add_pair(example[0], example[1]);
  }
  rows_ = batch.both_ways(partners_);
  targets_ = 0;
  constexpr uint64_t kMasks = uint64_t{1} << 32;  // beside the epochs' orders
  const RandomStream of_step = substream(random(), kMasks + static_cast<uint64_t>(step));
  const std::vector<int32_t>& texts = batch.texts();
  for (size_t i = 0; i < texts.size(); ++i) {
    const Encoding& source = inputs().texts[static_cast<size_t>(texts[i])];
    const Encoding& target = inputs().texts[static_cast<size_t>(texts[i ^ 1])];
    Generator generator(substream(of_step, i));
    std::vector<int32_t> ids = source.ids;
    if (generator.uniform() < sim_.masked_sources) {
      for (int32_t& id : ids) {
        if (sim_.special[static_cast<size_t>(id)] == 0 && generator.uniform() < sim_.masked_tokens) id = sim_.mask_id;
      }
    }
    std::vector<int32_t> segments(ids.size(), 0);
    ids.insert(ids.end(), target.ids.begin() + 1, target.ids.end());  // without [CLS]
    segments.resize(ids.size(), 1);
    targets_ += std::ssize(target.ids) - 1;
    add_text(ids, segments);
  }
}

LossSum SimObjective::loss(const VectorMatrix& vectors, VectorMatrix* gradient) const {
  VectorMatrix sums;
  if (gradient != nullptr) sums = VectorMatrix(gradient->rows, gradient->width);
  const LossSum sum = contrastive_loss(vectors, rows_, {.scale = sim_.scale}, sim_.sizes, model().backend().pool(),
                                       gradient == nullptr ? nullptr : &sums);
  const double share = 1 / static_cast<double>(rows_.queries.size());
  for (size_t i = 0; i < sums.values.size(); ++i) gradient->values[i] += share * sums.values[i];
  return {.sum = share * sum.sum, .correct = sum.correct};
}

Value SimObjective::hidden(const Context& context, const Batch& batch) const {
  return model().trunk().forward(context, batch, {.attention_mask = AttentionMask::prefix});
}

// The token before a target's predicts it.
LossSum SimObjective::more_loss(const Context& context, const Value& hidden, const Batch& batch,
                                double gradient_scale) const {
  std::vector<int32_t> rows, labels;
  for (size_t t = 1; t < batch.ids.size(); ++t) {
    if (batch.segments[t] == 0) continue;
    rows.push_back(static_cast<int32_t>(t) - 1);
    labels.push_back(batch.ids[t]);
  }
  if (rows.empty()) return {};
  const double share = 1 / static_cast<double>(targets_);
  const LossSum sum = model()
                          .mlm_head()
                          .loss(context, gather_rows(context, hidden, std::move(rows)),
                                model().trunk().word_embeddings(), {labels, share * gradient_scale})
                          .read();
  return {.sum = share * sum.sum, .correct = sum.correct};
}

}  // namespace roformer
