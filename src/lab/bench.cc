#include "lab/bench.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "metrics/statistics.h"
#include "training/language_objective.h"
#include "training/training_step.h"

namespace roformer {

namespace {

constexpr double kLearningRate = 1e-5;

Batch make_batch(const ModelConfig& config, const BenchOptions& options) {
  Generator generator({1, 0});
  Batch batch;
  for (const auto& ids : options.ids) batch.append(ids);
  if (!options.ids.empty()) return batch;
  for (const int64_t length : options.lengths) {
    std::vector<int32_t> ids(static_cast<size_t>(length));
    for (int32_t& id : ids) id = static_cast<int32_t>(generator.below(static_cast<uint64_t>(config.vocabulary)));
    batch.append(ids);
  }
  return batch;
}

// Multiplications and additions of one forward pass, by the usual convention: 2·m·n·k per matrix product.
double forward_operations(const ModelConfig& c, const Batch& batch, int64_t labels) {
  const double tokens = static_cast<double>(batch.tokens());
  double squares = 0;
  for (size_t i = 1; i < batch.offsets.size(); ++i) {
    const double length = batch.offsets[i] - batch.offsets[i - 1];
    squares += length * length;
  }
  const double h = static_cast<double>(c.hidden), e = static_cast<double>(c.embedding);
  const double queries = static_cast<double>(c.heads * c.head_dim());
  double attention = 0;  // of all layers
  for (int64_t i = 0; i < c.layers; ++i) {
    const bool favor = c.attention_of(i) == AttentionKind::linear_favor;
    const int64_t features = favor ? 2 * c.linear.favor_features : c.head_dim();  // which have to be computed, too
    const bool softmax = c.attention_of(i) == AttentionKind::softmax;
    attention += 4 * queries * (softmax ? squares : tokens * static_cast<double>(features));
  }
  const double keys = static_cast<double>(c.key_heads() * c.head_dim()), expanded = c.gated ? 3 : 2;
  const double layer = 2 * tokens * h * (2 * queries + 2 * keys + expanded * static_cast<double>(c.intermediate));
  const double project = c.embedding != c.hidden ? 2 * tokens * e * h : 0;
  const double transform = is_rms(c.norm) ? 0 : h;  // a plain head has none
  const double head = 2 * static_cast<double>(labels) * e * (transform + static_cast<double>(c.vocabulary));
  return static_cast<double>(c.layers) * layer + attention + project + head;
}

}  // namespace

BenchResult bench(Model& model, const BenchOptions& options) {
  const Batch batch = make_batch(model.config(), options);
  LabeledBatch labeled{batch, {}, {}};
  const int64_t count =
      options.training
          ? std::max<int64_t>(1, static_cast<int64_t>(options.label_share * static_cast<double>(batch.tokens())))
          : 0;
  for (int64_t i = 0; i < count; ++i) {
    labeled.rows.push_back(static_cast<int32_t>(i * batch.tokens() / count));
    labeled.labels.push_back(batch.ids[static_cast<size_t>(labeled.rows.back())]);
  }
  LabeledBatches work(model, {std::move(labeled)});
  std::optional<TrainingStep> training;
  if (options.training) {
    const Schedule schedule{.kind = ScheduleKind::constant, .learning_rate = kLearningRate, .warmup = 0, .steps = 1};
    training.emplace(model, OptimizerOptions{}, schedule, RandomStream{1, 0},
                     StepOptions{.gradient_checkpointing = options.gradient_checkpointing});
  }

  const auto pass = [&](int64_t step) -> double {
    if (training) return training->run(step, work, {.on_failure = "a benchmark saves nothing"}).loss;
    model.trunk().forward({model.backend(), nullptr, {}, false}, batch);
    return 0;
  };

  const double first = now_seconds();
  const double first_loss = pass(1);
  double last_loss = first_loss;
  std::vector<double> seconds;
  model.backend().set_profile(options.profile);
  const double begin = now_seconds();
  while (static_cast<int64_t>(seconds.size()) < options.passes || now_seconds() - begin < options.seconds) {
    const double start = now_seconds();
    last_loss = pass(static_cast<int64_t>(seconds.size()) + 2);
    seconds.push_back(now_seconds() - start);
  }
  const double measured = now_seconds() - begin;
  model.backend().set_profile(nullptr);
  const double usual = median(seconds);
  const double operations = forward_operations(model.config(), batch, count) * (options.training ? 3 : 1);
  return {.tokens_per_second = static_cast<double>(batch.tokens()) / usual,
          .gflops = operations / usual / 1e9,
          .weight_bytes = model.weight_bytes(),
          .peak_memory = peak_memory().value_or(0),
          .passes = static_cast<int64_t>(seconds.size()),
          .measured = measured,
          .first_pass = begin - first,
          .first_loss = first_loss,
          .last_loss = last_loss};
}

}  // namespace roformer
