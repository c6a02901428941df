// What a translator says of given translations: all tokens of many in one pass.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "generation/coverage.h"
#include "generation/cross_attention.h"
#include "generation/logit_row.h"
#include "generation/source_batches.h"
#include "generation/translator.h"

namespace roformer {

namespace {

// The sources and targets `which` of a batch. The decoder reads the start token, then the target; `shifted`: without
// its last token, so that row t computes token t.
struct ForcedBatch {
  Batch source, target;

  ForcedBatch(Translator::Sequences sources, Translator::Sequences targets, std::span<const size_t> which,
              int32_t start, bool shifted) {
    for (const size_t i : which) {
      source.append(sources[i]);
      std::vector<int32_t> read{start};
      read.insert(read.end(), targets[i].begin(), targets[i].end());
      if (shifted && read.size() > 1) read.pop_back();
      target.append(read);
    }
  }

  // The decoder's hidden states, its passes seen by `observer`.
  Value forward(const Model& model, Context context, AttentionObserver* observer) const {
    const Value memory = model.encoder().forward(context, source);
    context.observer = observer;
    return model.trunk().forward(context, target, {.memory = memory, .memory_offsets = source.offsets});
  }
};

void check_pairs(Translator::Sequences sources, Translator::Sequences targets) {
  if (sources.size() != targets.size()) throw ShapeError("{} sources, {} targets", sources.size(), targets.size());
}

}  // namespace

std::vector<std::vector<double>> Translator::score(Sequences sources, Sequences targets) const {
  check_pairs(sources, targets);
  const Context context{.backend = model_.backend(), .stop = options_.stop_token};
  std::vector<std::vector<double>> results(sources.size());
  for (const std::vector<size_t>& which : source_batches(sources, options_.batch_tokens)) {
    const ForcedBatch batch(sources, targets, which, start_id_, /*shifted=*/true);
    const Value hidden = batch.forward(model_, context, nullptr);
    const Value computed = model_.mlm_head().logits(context, hidden, model_.trunk().word_embeddings());
    const std::vector<double> log_sums = context.backend.log_sum_exp(computed.data);
    const Tensor logits = context.backend.to_host(computed.data);
    for (size_t k = 0; k < which.size(); ++k) {
      const std::vector<int32_t>& target = targets[which[k]];
      std::vector<double>& logs = results[which[k]];
      logs.resize(target.size());
      context.backend.pool().run(std::ssize(target), [&](int64_t t) {
        const int64_t row = batch.target.offsets[k] + t;
        const double logit = with_row(logits, row, [&](auto values) {
          return static_cast<double>(values[static_cast<size_t>(target[static_cast<size_t>(t)])]);
        });
        logs[static_cast<size_t>(t)] = logit - log_sums[static_cast<size_t>(row)];
      });
    }
  }
  return results;
}

std::vector<double> Translator::coverage(Sequences sources, Sequences targets) const {
  check_pairs(sources, targets);
  std::vector<double> results(sources.size());
  for (const std::vector<size_t>& which : source_batches(sources, options_.batch_tokens)) {
    const ForcedBatch batch(sources, targets, which, start_id_, /*shifted=*/true);
    std::vector<std::vector<double>> attended(which.size());
    CrossAttentionRows observer(
        model_.backend(), model_.config().layers, layer_,
        [&](size_t source, int64_t, std::span<const double> weights) { add_attention(weights, attended[source]); });
    batch.forward(model_, {.backend = model_.backend(), .stop = options_.stop_token}, &observer);
    for (size_t k = 0; k < which.size(); ++k) {
      results[which[k]] = options_.coverage_penalty * coverage_sum(attended[k]);
    }
  }
  return results;
}

std::vector<std::vector<int32_t>> Translator::align(Sequences sources, Sequences targets,
                                                    const std::function<bool(int32_t id)>& aligned) const {
  check_pairs(sources, targets);
  std::vector<std::vector<int32_t>> results(sources.size());
  for (const std::vector<size_t>& which : source_batches(sources, options_.batch_tokens)) {
    const ForcedBatch batch(sources, targets, which, start_id_, /*shifted=*/false);
    const auto look = [&](size_t k, int64_t row, std::span<const double> weights) {
      if (row == batch.target.offsets[k]) return;  // reads the start token
      int32_t best = -1;
      for (size_t i = 0; i < weights.size(); ++i) {
        if (!aligned(sources[which[k]][i])) continue;
        if (best < 0 || weights[i] > weights[static_cast<size_t>(best)]) best = static_cast<int32_t>(i);
      }
      results[which[k]].push_back(best);
    };
    CrossAttentionRows observer(model_.backend(), model_.config().layers, layer_, look);
    batch.forward(model_, {.backend = model_.backend(), .stop = options_.stop_token}, &observer);
  }
  return results;
}

}  // namespace roformer
