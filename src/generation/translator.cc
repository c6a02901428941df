#include "generation/translator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stop.h"
#include "generation/pass.h"
#include "models/token_ids_json.h"

namespace roformer {

namespace {

// Single tokens that "bad_words_ids" bans.
std::vector<int32_t> read_banned(const JsonObject& json) {
  constexpr const char* kKey = "bad_words_ids";
  std::vector<int32_t> banned;
  if (!json.has(kKey)) return banned;
  const Json& lists = json.value()[kKey];
  for (const Json& list : lists) {
    if (!list.is_array() || list.size() != 1 || !list.front().is_number_integer()) {
      json.reject(kKey, "lists of one token id each");
    }
    const auto id = list.front().get<int64_t>();
    if (std::in_range<int32_t>(id)) banned.push_back(static_cast<int32_t>(id));  // others never come
  }
  return banned;
}

// Groups of sources that are translated together, of similar lengths, each of at most `limit` tokens unless it has one
// source.
std::vector<std::vector<size_t>> batches_of(std::span<const std::vector<int32_t>> sources, int64_t limit) {
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::less(), [&](size_t i) { return sources[i].size(); });
  std::vector<std::vector<size_t>> batches;
  int64_t tokens = 0;
  for (const size_t i : order) {
    const auto more = std::ssize(sources[i]);
    if (batches.empty() || tokens + more > limit) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += more;
  }
  return batches;
}

// ln Σ exp of a row.
template <class Real>
double log_sum_exp(std::span<const Real> row) {
  const Real highest = *std::ranges::max_element(row);
  double sum = 0;
  for (const Real x : row) sum += static_cast<double>(std::exp(x - highest));
  return static_cast<double>(highest) + std::log(sum);
}

// The best `count` logits of a row, best first, ties by id, as logarithms of probabilities.
template <class Real>
std::vector<NextToken> best_of_row(std::span<const Real> row, double log_sum, size_t count) {
  std::vector<std::pair<Real, int32_t>> best;  // a heap with the worst in front
  const auto before = [](const std::pair<Real, int32_t>& a, const std::pair<Real, int32_t>& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  for (size_t i = 0; i < row.size(); ++i) {
    if (best.size() == count && !(row[i] > best.front().first)) continue;
    if (row[i] == -std::numeric_limits<Real>::infinity()) continue;
    if (best.size() == count) {
      std::ranges::pop_heap(best, before);
      best.pop_back();
    }
    best.emplace_back(row[i], static_cast<int32_t>(i));
    std::ranges::push_heap(best, before);
  }
  std::ranges::sort(best, before);
  std::vector<NextToken> tokens;
  tokens.reserve(best.size());
  for (const auto& [logit, id] : best) tokens.push_back({id, static_cast<double>(logit) - log_sum});
  return tokens;
}

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

}  // namespace

TranslatorOptions read_translator_options(const std::string& directory) {
  TranslatorOptions options;
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::string path = join_path(directory, name);
    if (!exists(path)) continue;
    const JsonObject json = JsonObject::read(path);
    constexpr int64_t kMostBeams = 1024, kLastId = std::numeric_limits<int32_t>::max();
    options.beams = json.get_int("num_beams", options.beams, 1, kMostBeams);
    options.length_penalty = json.get_double("length_penalty", options.length_penalty);
    if (json.has("max_length"))
      options.longest = json.get_int("max_length", std::nullopt, 2) - 1;  // it counts the start
    options.no_repeat_ngram = json.get_int("no_repeat_ngram_size", options.no_repeat_ngram, 0);
    options.banned = read_banned(json);
    if (json.has("decoder_start_token_id")) {
      options.start = json.get_int("decoder_start_token_id", std::nullopt, 0, kLastId);
    }
    options.ends = read_token_ids(json, "eos_token_id");
    if (json.has("forced_eos_token_id")) {
      options.forced_end = static_cast<int32_t>(json.get_int("forced_eos_token_id", std::nullopt, 0, kLastId));
    }
    options.renormalized = json.get_bool("renormalize_logits", options.renormalized);
    break;
  }
  return options;
}

std::string generation_config(const ModelConfig& config, const TranslatorOptions& options) {
  Json json = {{"num_beams", options.beams},        {"length_penalty", options.length_penalty},
               {"max_length", options.longest + 1},  // it counts the start
               {"early_stopping", false},           {"do_sample", false},
               {"pad_token_id", config.pad_id}};
  if (const auto start = options.start ? options.start : config.start_id) json["decoder_start_token_id"] = *start;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  write_token_ids(options.ends.empty() ? config.eos_ids : options.ends, "eos_token_id", json);
  if (options.no_repeat_ngram > 0) json["no_repeat_ngram_size"] = options.no_repeat_ngram;
  for (const int32_t id : options.banned) json["bad_words_ids"].push_back(Json::array({id}));
  if (options.forced_end) json["forced_eos_token_id"] = *options.forced_end;
  if (options.renormalized) json["renormalize_logits"] = true;
  return json.dump(2) + "\n";
}

// A sentence being translated.
struct Translator::Sentence {
  size_t source;
  BeamSearch search;
};

Translator::Translator(const Model& model, TranslatorOptions options) : model_(model), options_(std::move(options)) {
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
  check(options_.candidates >= 1 && options_.candidates <= options_.beams, "n_best", options_.candidates,
        "1 to the number of beams");
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

int64_t Translator::limit_of(size_t source_tokens) const {
  using Options = TranslatorOptions;
  const int64_t usual = Options::kLengthFactor * static_cast<int64_t>(source_tokens) + Options::kLengthMargin;
  return options_.max_new_tokens.value_or(std::min(usual, options_.longest));
}

// After `ids`, which begin with the start token; `last`: nothing may follow. Overwrites the row.
std::vector<NextToken> Translator::next_tokens(const Tensor& logits, int64_t row, std::span<const int32_t> ids,
                                               bool last, size_t count) const {
  if (last && options_.forced_end) return {{*options_.forced_end, 0}};
  const auto choose = [&]<class Real>(std::type_identity<Real>) {
    const std::span<Real> values(logits.row<Real>(row), static_cast<size_t>(logits.columns()));
    double log_sum = log_sum_exp(std::span<const Real>(values));
    if (!std::isfinite(log_sum)) report_not_finite(model_);
    std::vector<int32_t> banned = repeating(ids, options_.no_repeat_ngram);
    banned.insert(banned.end(), options_.banned.begin(), options_.banned.end());
    for (const int32_t id : banned) values[static_cast<size_t>(id)] = -std::numeric_limits<Real>::infinity();
    if (options_.renormalized && !banned.empty()) log_sum = log_sum_exp(std::span<const Real>(values));
    return best_of_row(std::span<const Real>(values), log_sum, count);
  };
  return logits.dtype() == DType::float64 ? choose(std::type_identity<double>()) : choose(std::type_identity<float>());
}

void Translator::run_batch(std::span<const std::vector<int32_t>> sources, std::span<const size_t> which,
                           std::vector<std::vector<Hypothesis>>& results) const {
  const Context context{.backend = model_.backend(), .stop = options_.stop_token};
  Batch batch;
  std::vector<Sentence> live;
  std::vector<int32_t> ids, sentence_of;  // of each hypothesis: its last token, its place in `live`
  int64_t longest = 1;
  for (const size_t i : which) {
    batch.append(sources[i]);
    const int64_t limit = limit_of(sources[i].size());
    longest = std::max(longest, limit);
    sentence_of.push_back(static_cast<int32_t>(live.size()));
    live.push_back({i, BeamSearch({.beams = options_.beams,
                                   .length_penalty = options_.length_penalty,
                                   .penalty_kind = options_.penalty_kind,
                                   .max_tokens = limit,
                                   .end_ids = end_ids_})});
    ids.push_back(start_id_);
  }
  StackInputs inputs{.memory = model_.encoder().forward(context, batch), .memory_offsets = batch.offsets};
  DecodingState state(std::ssize(which), longest);
  inputs.state = &state;
  while (!live.empty()) {
    Batch step;
    for (size_t s = 0; s < ids.size(); ++s) step.append({&ids[s], 1}, {}, state.next_position(static_cast<int64_t>(s)));
    const Value hidden = model_.trunk().forward(context, step, inputs);
    inputs.memory = {};
    const Value computed = model_.mlm_head().logits(context, hidden, model_.trunk().word_embeddings());
    const Tensor logits = context.backend.to_host(computed.data);
    std::vector<std::vector<NextToken>> next(ids.size());
    std::vector<size_t> first_of(live.size() + 1);  // hypothesis of a sentence
    for (const int32_t sentence : sentence_of) ++first_of[static_cast<size_t>(sentence) + 1];
    std::partial_sum(first_of.begin(), first_of.end(), first_of.begin());
    context.backend.pool().run(std::ssize(ids), [&](int64_t row) {
      const auto at = static_cast<size_t>(row), sentence = static_cast<size_t>(sentence_of[at]);
      const BeamSearch& search = live[sentence].search;
      std::vector<int32_t> seen{start_id_};
      const std::vector<int32_t>& generated = search.live()[at - first_of[sentence]];
      seen.insert(seen.end(), generated.begin(), generated.end());
      const bool last = std::ssize(seen) == limit_of(sources[live[sentence].source].size());
      next[at] = next_tokens(logits, row, seen, last, search.candidates());
    });
    std::vector<int32_t> chosen, next_ids, next_sentences;
    std::vector<Sentence> staying;
    for (size_t i = 0; i < live.size(); ++i) {
      Sentence& sentence = live[i];
      const size_t first = first_of[i];
      const auto parents = sentence.search.advance(std::span(next).subspan(first, first_of[i + 1] - first));
      if (sentence.search.done()) {
        results[sentence.source] = sentence.search.best(static_cast<size_t>(options_.candidates));
        if (results[sentence.source].empty()) {
          throw DataError("no token may follow: all are banned or would repeat a sequence, the end token, too");
        }
        continue;
      }
      for (size_t beam = 0; beam < parents.size(); ++beam) {
        chosen.push_back(static_cast<int32_t>(first) + parents[beam]);
        next_ids.push_back(sentence.search.live()[beam].back());
        next_sentences.push_back(static_cast<int32_t>(staying.size()));
      }
      staying.push_back(std::move(sentence));
    }
    live = std::move(staying);
    ids = std::move(next_ids);
    sentence_of = std::move(next_sentences);
    if (!live.empty()) state.select(context.backend, chosen);
  }
}

std::vector<std::vector<Hypothesis>> Translator::run(std::span<const std::vector<int32_t>> sources) const {
  std::vector<std::vector<Hypothesis>> results(sources.size());
  const int64_t limit = std::max<int64_t>(1, options_.batch_tokens / options_.beams);
  for (const std::vector<size_t>& which : batches_of(sources, limit)) {
    throw_if_stopped(options_.stop_token);
    run_batch(sources, which, results);
  }
  return results;
}

std::vector<std::vector<double>> Translator::score(std::span<const std::vector<int32_t>> sources,
                                                   std::span<const std::vector<int32_t>> targets) const {
  if (sources.size() != targets.size()) throw ShapeError("{} sources, {} targets", sources.size(), targets.size());
  std::vector<std::vector<double>> results(sources.size());
  for (const std::vector<size_t>& which : batches_of(sources, options_.batch_tokens)) {
    const Context context{.backend = model_.backend(), .stop = options_.stop_token};
    Batch batch, decoded;
    for (const size_t i : which) {
      batch.append(sources[i]);
      std::vector<int32_t> shifted{start_id_};
      if (!targets[i].empty()) shifted.insert(shifted.end(), targets[i].begin(), targets[i].end() - 1);
      decoded.append(shifted);
    }
    const Value memory = model_.encoder().forward(context, batch);
    const Value hidden = model_.trunk().forward(context, decoded, {.memory = memory, .memory_offsets = batch.offsets});
    const Tensor logits =
        context.backend.to_host(model_.mlm_head().logits(context, hidden, model_.trunk().word_embeddings()).data);
    for (size_t k = 0; k < which.size(); ++k) {
      const std::vector<int32_t>& target = targets[which[k]];
      std::vector<double>& logs = results[which[k]];
      logs.resize(target.size());
      context.backend.pool().run(std::ssize(target), [&](int64_t t) {
        const auto log_of = [&]<class Real>(std::type_identity<Real>) {
          const std::span<const Real> row(logits.row<Real>(decoded.offsets[k] + t),
                                          static_cast<size_t>(logits.columns()));
          return static_cast<double>(row[static_cast<size_t>(target[static_cast<size_t>(t)])]) - log_sum_exp(row);
        };
        logs[static_cast<size_t>(t)] = logits.dtype() == DType::float64 ? log_of(std::type_identity<double>())
                                                                        : log_of(std::type_identity<float>());
      });
    }
  }
  return results;
}

}  // namespace roformer
