#include "lab/bench_decoding.h"

#include <algorithm>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "generation/pass.h"
#include "generation/sampling.h"
#include "metrics/statistics.h"

namespace roformer {

namespace {

int64_t bytes_to_multiply(const Parameter& parameter) {
  return parameter.prepared != nullptr ? parameter.prepared->bytes() : parameter.value.bytes();
}

// Of embedding tables only one row per token is read, unless the table is also the head's output weights.
int64_t bytes_of_a_step(const Model& model) {
  int64_t bytes = 0;
  std::set<const PreparedWeight*> counted{nullptr};
  for (const NamedParameter& named : model.parameters()) {
    const PreparedWeight* const prepared = named.parameter.prepared.get();  // of several parameters: q, k and v
    if (named.role == ParameterRole::embedding || (prepared != nullptr && !counted.insert(prepared).second)) continue;
    bytes += bytes_to_multiply(named.parameter);
  }
  return bytes + (model.config().tied ? bytes_to_multiply(model.trunk().word_embeddings()) : 0);
}

// The texts of one batch size, and how long their steps took.
class Contestant {
 public:
  Contestant(const Model& model, const DecodingBenchOptions& options, int64_t batch)
      : model_(model), options_(options), batch_(batch) {}

  void turn(int64_t steps) {
    const int64_t vocabulary = model_.config().vocabulary;
    Generator generator({1, static_cast<uint64_t>(batch_)});
    std::vector<std::vector<int32_t>> prompts(static_cast<size_t>(batch_));
    for (std::vector<int32_t>& prompt : prompts) {
      for (int64_t i = 0; i < options_.prompt; ++i) {
        prompt.push_back(static_cast<int32_t>(generator.below(static_cast<uint64_t>(vocabulary))));
      }
    }
    GenerationPass pass(model_, AttentionMask::causal, batch_, options_.prompt + steps, vocabulary);
    GenerationPass::Logits logits;
    pass.prompts(prompts, logits);
    std::vector<int32_t> ids = choose(logits);
    if (options_.profile) model_.backend().set_profile(&profile_);
    for (int64_t i = 0; i < steps; ++i) {
      const double begin = now_seconds();
      pass.step(ids, logits);
      ids = choose(logits);
      seconds_.push_back(now_seconds() - begin);
    }
    model_.backend().set_profile(nullptr);
  }

  int64_t steps() const { return std::ssize(seconds_); }
  // `limit`: steps per second that memory bandwidth allows, 0 if unknown.
  DecodingSpeed speed(double limit) const {
    const double step = median(seconds_);
    double all = 0;
    for (const double one : seconds_) all += one;
    return {.batch = batch_,
            .seconds = step,
            .tokens_per_second = static_cast<double>(batch_) / step,
            .share = limit > 0 ? 1 / step / limit : 0,
            .steps = steps(),
            .measured = all,
            .profile = profile_.entries()};
  }

 private:
  std::vector<int32_t> choose(const GenerationPass::Logits& logits) const {
    std::vector<int32_t> ids(logits.size());
    model_.backend().pool().run(std::ssize(logits), [&](int64_t i) {
      ids[static_cast<size_t>(i)] = best_token(logits[static_cast<size_t>(i)]);
    });
    return ids;
  }

  const Model& model_;
  const DecodingBenchOptions& options_;
  int64_t batch_;
  std::vector<double> seconds_;
  Profile profile_;
};

}  // namespace

DecodingBenchResult bench_decoding(const Model& model, const DecodingBenchOptions& options) {
  if (model.config().attention_mask != AttentionMask::causal) {
    throw UsageError(
        "decoding needs a causal model, but this one also attends to later tokens; {} llama-100m and "
        "paper-performer are causal, as is a config.json with is_decoder",
        FieldName("preset"));
  }
  model.mlm_head();  // throws if there is none
  std::vector<std::unique_ptr<Contestant>> contestants;
  for (const int64_t batch : options.batches) {
    contestants.push_back(std::make_unique<Contestant>(model, options, batch));
    Contestant(model, options, batch).turn(1);  // warms up
  }
  constexpr int64_t kFloats = int64_t{1} << 26;  // 256 MiB
  const Tensor large = model.backend().empty({kFloats});
  model.backend().fill(large, 1);
  std::vector<double> rates;
  const double begin = now_seconds();
  while (contestants.back()->steps() < options.passes || now_seconds() - begin < options.seconds) {
    for (const auto& contestant : contestants) {
      contestant->turn(options.tokens);
      rates.push_back(model.backend().read_rate(large));
    }
  }
  DecodingBenchResult result{.speeds = {},
                             .bandwidth = median(rates),
                             .weight_bytes = bytes_of_a_step(model),
                             .held_bytes = model.weight_bytes()};
  const double limit = result.bandwidth / static_cast<double>(std::max<int64_t>(1, result.weight_bytes));
  for (const auto& contestant : contestants) result.speeds.push_back(contestant->speed(limit));
  result.peak_memory = peak_memory().value_or(0);
  return result;
}

}  // namespace roformer
