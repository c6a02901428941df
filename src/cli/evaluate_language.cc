// Evaluates a language model on text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "base/signal.h"
#include "cli/evaluate.h"
#include "cli/training_options.h"
#include "inference/text_stream.h"
#include "training/language_evaluation.h"

namespace roformer {

namespace {

// The options of a training on this text with the model's objective.
PretrainOptions text_options(const EvaluateCommand& options, const Session& session) {
  PretrainOptions text = options.text;
  const ModelConfig& config = session.model().config();
  if (!config.is_language_model()) {
    throw UsageError("{} {}: the model has no language-model head, expected a masked or causal language model",
                     FieldName("model"), options.model);
  }
  text.objective = config.head == Head::causal_lm ? "clm" : "mlm";
  if (text.objective == "clm" && (text.mask_probability || text.whole_word)) {
    throw UsageError("{}: the model {} is causal and predicts every token",
                     FieldName(text.whole_word ? "whole_word" : "mask_probability"), options.model);
  }
  constexpr int64_t kUsualLength = 512;
  const LengthLimit limit = length_limit(config);
  const int64_t own = session.tokenizer().model_max_length();
  if (!text.max_length) text.max_length = std::clamp<int64_t>(own > 0 ? own : kUsualLength, 3, limit.tokens);
  if (*text.max_length > limit.tokens) {
    throw UsageError("{} {} is more than {}: {}", FieldName("max_length"), *text.max_length, limit.tokens,
                     limit.reason);
  }
  return text;
}

Bounds exponentials(const Bounds& bounds) { return {std::exp(bounds[0]), std::exp(bounds[1])}; }

struct Metric {
  const char* name;
  double value;
  std::optional<Bounds> interval;
};

}  // namespace

void evaluate_language_model(const EvaluateCommand& options, const Session& session) {
  const StopOnSignal stop;
  PretrainOptions text = text_options(options, session);
  text.stop_token = stop.token();
  text.undivided = print_undivided;
  const LanguageScore score = evaluate_language(session.model(), session.tokenizer(), text);
  const std::vector<Metric> metrics = {
      {"perplexity", *score.mean.perplexity, score.loss ? std::optional(exponentials(*score.loss)) : std::nullopt},
      {"loss", score.mean.loss, score.loss},
      {"accuracy", score.mean.accuracy.value_or(0), score.accuracy}};
  if (options.json) {
    Json values = Json::object(), intervals = Json::object();
    for (const Metric& metric : metrics) {
      values[metric.name] = metric.value;
      if (metric.interval) intervals[metric.name] = *metric.interval;
    }
    std::cout << dump_json(
                     {{"task", options.task}, {"n", score.mean.labels}, {"metrics", values}, {"interval95", intervals}})
              << "\n";
    return;
  }
  std::cout << fmt::format("{} in {} of up to {} tokens\n", counted(score.mean.labels, "predicted token"),
                           counted(score.sequences, "sequence"), *text.max_length);
  for (const Metric& metric : metrics) {
    std::cout << fmt::format("{:<11}{:.6g}", metric.name, metric.value);
    if (metric.interval) {
      std::cout << fmt::format("  (95 % interval {:.6g} to {:.6g})", (*metric.interval)[0], (*metric.interval)[1]);
    }
    std::cout << "\n";
  }
}

}  // namespace roformer
