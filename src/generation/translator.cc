#include "generation/translator.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/stop.h"
#include "generation/coverage.h"
#include "generation/cross_attention.h"
#include "generation/logit_row.h"
#include "generation/pass.h"
#include "generation/sampled_search.h"
#include "generation/source_batches.h"

namespace roformer {

namespace {

// Tokens that would complete a sequence of `size` tokens which `ids` has already.
std::vector<int32_t> repeating(std::span<const int32_t> ids, int64_t size) {
  std::vector<int32_t> tokens;
  if (size == 0 || std::ssize(ids) < size) return tokens;
  const auto prefix = ids.last(static_cast<size_t>(size - 1));
  for (size_t end = static_cast<size_t>(size); end <= ids.size(); ++end) {
    if (std::ranges::equal(ids.subspan(end - static_cast<size_t>(size), prefix.size()), prefix)) {
      tokens.push_back(ids[end - 1]);
    }
  }
  return tokens;
}

// Batches that are searched at once: the products of a step have too few rows for all threads to share without waiting
// for each other. How sentences are divided must not depend on the number of threads.
constexpr int64_t kTogether = 2;

[[noreturn]] void refuse_nothing_left() {
  throw DataError("no token may follow: all are banned or would repeat a sequence, the end token, too");
}

}  // namespace

Translator::Translator(const Model& model, TranslatorOptions options)
    : model_(model), options_(std::move(options)), layer_(alignment_layer(model.config(), options_.alignment_layer)) {
  const ModelConfig& config = model.config();
  model.encoder();   // throws if there is none
  model.mlm_head();  // likewise
  const std::optional<int64_t> start = options_.start ? options_.start : config.start_id;
  if (!start) throw DataError("the model names no {}", KeyName("decoder_start_token_id"));
  start_id_ = static_cast<int32_t>(*start);
  for (const int64_t id : options_.ends.empty() ? config.eos_ids : options_.ends) {
    end_ids_.push_back(static_cast<int32_t>(id));
  }
  const auto check = [](bool good, const char* name, int64_t value, const char* expected) {
    if (!good) throw UsageError("{} is {}, expected {}", FieldName(name), value, expected);
  };
  check(options_.beams >= 1, "beam", options_.beams, "1 or more");
  if (options_.sampling) {
    validate(*options_.sampling);
    check(options_.candidates >= 1, "n_best", options_.candidates, "1 or more");
  } else {
    check(options_.candidates >= 1 && options_.candidates <= options_.beams, "n_best", options_.candidates,
          "1 to the number of beams");
  }
  if (!(options_.coverage_penalty >= 0) || !std::isfinite(options_.coverage_penalty)) {
    throw UsageError("{} is {}, expected 0 or more", FieldName("coverage_penalty"), options_.coverage_penalty);
  }
  check(options_.max_new_tokens.value_or(1) >= 1, "max_new_tokens", options_.max_new_tokens.value_or(1), "1 or more");
  check(options_.no_repeat_ngram >= 0, "no_repeat_ngram", options_.no_repeat_ngram, "0 or more");
  check(options_.batch_tokens >= 1, "batch_tokens", options_.batch_tokens, "1 or more");
  const auto check_id = [&](const char* key, int32_t id) {
    if (id >= config.vocabulary) {
      throw DataError("{} is {}, beyond the model's {} tokens", KeyName(key), id, config.vocabulary);
    }
  };
  check_id("decoder_start_token_id", start_id_);
  if (options_.forced_end) check_id("forced_eos_token_id", *options_.forced_end);
  std::erase_if(options_.banned, [&](int32_t id) { return id < 0 || id >= config.vocabulary; });
}

int64_t Translator::limit_of(size_t source_tokens, const SourceSettings& settings) const {
  using Options = TranslatorOptions;
  const auto prefix = settings.prefix == nullptr ? 0 : static_cast<int64_t>(settings.prefix->tokens());
  const int64_t usual = Options::kLengthFactor * static_cast<int64_t>(source_tokens) + Options::kLengthMargin;
  return options_.max_new_tokens.value_or(std::min(usual, options_.longest) + prefix);
}

// The sentences of a batch, and their hypotheses one behind the other: the rows of each pass.
class Translator::BatchSearch {
 public:
  BatchSearch(const Translator& translator, Sequences sources, std::span<const size_t> which,
              std::span<const SourceSettings> settings);
  // Fills in the results of the sources.
  void run(std::vector<std::vector<Hypothesis>>& results);

 private:
  struct Sentence {
    size_t source;
    SourceSettings settings;
    int64_t limit;
    std::optional<BeamSearch> beams;
    std::optional<SampledSearch> draws;
    HypothesisSearch& search() { return beams ? static_cast<HypothesisSearch&>(*beams) : *draws; }
  };
  struct Row {
    size_t sentence, hypothesis;        // of the live ones, of its search
    int32_t last;                       // token
    std::vector<double> attended = {};  // sums of the coverage penalty
  };
  struct Logits {
    Tensor rows;                   // on the host
    std::vector<double> log_sums;  // ln Σ exp of each
  };
  Sentence begin(size_t source, size_t tokens, const SourceSettings& settings) const;
  Logits compute(StackInputs& inputs);
  std::vector<NextToken> next_tokens(const Logits& logits, size_t row);
  void add_coverage();
  std::vector<int32_t> advance(std::span<const std::vector<NextToken>> next,
                               std::vector<std::vector<Hypothesis>>& results);

  const Translator& translator_;
  const TranslatorOptions& options_;
  const Model& model_;
  CrossAttentionRows observer_;
  Context context_;
  std::vector<Sentence> live_;
  std::vector<Row> rows_;
  StackInputs inputs_;
  std::optional<DecodingState> state_;
};

Translator::BatchSearch::BatchSearch(const Translator& translator, Sequences sources, std::span<const size_t> which,
                                     std::span<const SourceSettings> settings)
    : translator_(translator),
      options_(translator.options_),
      model_(translator.model_),
      observer_(model_.backend(), model_.config().layers, translator.layer_,
                [this](size_t, int64_t row, std::span<const double> weights) {
                  add_attention(weights, rows_[static_cast<size_t>(row)].attended);
                }),
      context_{.backend = model_.backend(), .stop = options_.stop_token} {
  Batch batch;
  int64_t longest = 1;
  for (const size_t i : which) {
    batch.append(sources[i]);
    rows_.push_back({live_.size(), 0, translator.start_id_});
    live_.push_back(begin(i, sources[i].size(), settings.empty() ? SourceSettings{} : settings[i]));
    longest = std::max(longest, live_.back().limit);
  }
  inputs_ = {.memory = model_.encoder().forward(context_, batch), .memory_offsets = batch.offsets};
  state_.emplace(std::ssize(which), longest);
  inputs_.state = &*state_;
  if (options_.coverage_penalty > 0) context_.observer = &observer_;
}

Translator::BatchSearch::Sentence Translator::BatchSearch::begin(size_t source, size_t tokens,
                                                                 const SourceSettings& settings) const {
  Sentence sentence{source, settings, translator_.limit_of(tokens, settings), {}, {}};
  if (options_.sampling) {
    sentence.draws.emplace(SampledOptions{.draws = options_.candidates,
                                          .length_penalty = options_.length_penalty,
                                          .penalty_kind = options_.penalty_kind,
                                          .max_tokens = sentence.limit,
                                          .end_ids = translator_.end_ids_,
                                          .random = settings.random});
  } else {
    sentence.beams.emplace(BeamOptions{.beams = options_.beams,
                                       .length_penalty = options_.length_penalty,
                                       .penalty_kind = options_.penalty_kind,
                                       .max_tokens = sentence.limit,
                                       .end_ids = translator_.end_ids_});
  }
  return sentence;
}

// The logits after each row's hypothesis.
Translator::BatchSearch::Logits Translator::BatchSearch::compute(StackInputs& inputs) {
  Batch step;
  for (size_t s = 0; s < rows_.size(); ++s) {
    step.append({&rows_[s].last, 1}, {}, state_->next_position(static_cast<int64_t>(s)));
  }
  const Value hidden = model_.trunk().forward(context_, step, inputs);
  inputs.memory = {};
  const Value logits = model_.mlm_head().logits(context_, hidden, model_.trunk().word_embeddings());
  return {context_.backend.to_host(logits.data), context_.backend.log_sum_exp(logits.data)};
}

// Those that may come after a row's hypothesis: the best, or the drawn ones. Overwrites its logits.
std::vector<NextToken> Translator::BatchSearch::next_tokens(const Logits& logits, size_t row) {
  Sentence& sentence = live_[rows_[row].sentence];
  const size_t hypothesis = rows_[row].hypothesis;
  const std::vector<int32_t>& generated = sentence.search().live()[hypothesis];
  const std::vector<double> numbers = sentence.draws ? sentence.draws->numbers(hypothesis) : std::vector<double>();
  std::optional<std::vector<int32_t>> allowed;
  if (sentence.settings.prefix != nullptr) {
    allowed = sentence.settings.prefix->allowed(generated, translator_.end_ids_);
  }
  const bool last = std::ssize(generated) + 1 == sentence.limit;
  if (last && !allowed && options_.forced_end) {
    return std::vector<NextToken>(std::max<size_t>(1, numbers.size()), {*options_.forced_end, 0});
  }
  return with_row(logits.rows, static_cast<int64_t>(row), [&](auto values) {
    LogitRow choice(values, logits.log_sums[row]);
    if (!choice.is_finite()) report_not_finite(model_);
    if (allowed) choice.allow_only(*allowed);
    std::vector<int32_t> banned;
    if (!allowed || allowed->size() > 1) banned = options_.banned;
    if (!allowed && options_.no_repeat_ngram > 0) {
      std::vector<int32_t> seen{translator_.start_id_};
      seen.insert(seen.end(), generated.begin(), generated.end());
      const std::vector<int32_t> repeated = repeating(seen, options_.no_repeat_ngram);
      banned.insert(banned.end(), repeated.begin(), repeated.end());
    }
    choice.forbid(banned);
    if (options_.renormalized && !allowed && !banned.empty()) choice.renormalize();
    if (sentence.beams) return choice.best(sentence.beams->candidates());
    std::vector<NextToken> drawn = choice.draw(numbers, *options_.sampling);
    if (drawn.empty()) refuse_nothing_left();
    return drawn;
  });
}

// After a pass, which has added its attention to the rows'.
void Translator::BatchSearch::add_coverage() {
  std::vector<std::vector<double>> bonuses(live_.size());
  for (const Row& row : rows_) {
    bonuses[row.sentence].push_back(options_.coverage_penalty * coverage_sum(row.attended));
  }
  for (size_t i = 0; i < live_.size(); ++i) live_[i].beams->set_bonuses(std::move(bonuses[i]));
}

// Takes the next tokens of all rows. Returns the parents of the new rows.
std::vector<int32_t> Translator::BatchSearch::advance(std::span<const std::vector<NextToken>> next,
                                                      std::vector<std::vector<Hypothesis>>& results) {
  std::vector<int32_t> chosen;
  std::vector<Sentence> staying;
  std::vector<Row> rows;
  size_t first = 0;
  for (Sentence& sentence : live_) {
    HypothesisSearch& search = sentence.search();
    const size_t count = search.live().size();
    const auto parents = search.advance(next.subspan(first, count));
    if (search.done()) {
      results[sentence.source] = search.best(static_cast<size_t>(options_.candidates));
      if (results[sentence.source].empty()) refuse_nothing_left();
    } else {
      for (size_t k = 0; k < parents.size(); ++k) {
        chosen.push_back(static_cast<int32_t>(first) + parents[k]);
        rows.push_back(
            {staying.size(), k, search.live()[k].back(), rows_[static_cast<size_t>(chosen.back())].attended});
      }
      staying.push_back(std::move(sentence));
    }
    first += count;
  }
  live_ = std::move(staying);
  rows_ = std::move(rows);
  return chosen;
}

void Translator::BatchSearch::run(std::vector<std::vector<Hypothesis>>& results) {
  while (!live_.empty()) {
    const Logits logits = compute(inputs_);
    std::vector<std::vector<NextToken>> next(rows_.size());
    context_.backend.pool().run(std::ssize(rows_), [&](int64_t row) {
      next[static_cast<size_t>(row)] = next_tokens(logits, static_cast<size_t>(row));
    });
    if (options_.coverage_penalty > 0) add_coverage();
    const std::vector<int32_t> chosen = advance(next, results);
    if (!live_.empty()) state_->select(context_.backend, chosen);
  }
}

std::vector<std::vector<Hypothesis>> Translator::run(Sequences sources,
                                                     std::span<const SourceSettings> settings) const {
  if (!settings.empty() && settings.size() != sources.size()) {
    throw ShapeError("{} sources, {} settings", sources.size(), settings.size());
  }
  std::vector<std::vector<Hypothesis>> results(sources.size());
  const int64_t rows = options_.sampling ? options_.candidates : options_.beams;
  const auto batches = source_batches(sources, std::max<int64_t>(1, options_.batch_tokens / (kTogether * rows)));
  std::atomic<size_t> next = 0;
  model_.backend().pool().run(std::min(kTogether, std::ssize(batches)), [&](int64_t) {
    for (size_t i = next++; i < batches.size(); i = next++) {
      throw_if_stopped(options_.stop_token);
      BatchSearch(*this, sources, batches[i], settings).run(results);
    }
  });
  return results;
}

}  // namespace roformer
