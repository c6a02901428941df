#include "training/best.h"

#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"

namespace roformer {

namespace {

using Metrics = std::vector<std::pair<std::string, double>>;

Metrics all_metrics(const Evaluation& evaluation) {
  Metrics all = {{"loss", evaluation.loss}};
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) all.emplace_back(name, *value);
  };
  add("accuracy", evaluation.accuracy);
  add("perplexity", evaluation.perplexity);
  add("bits_per_character", evaluation.bits_per_character);
  all.insert(all.end(), evaluation.metrics.begin(), evaluation.metrics.end());
  return all;
}

std::optional<double> number(const JsonObject& json, const std::string& key) {
  if (!json.has(key)) return std::nullopt;
  return json.get_double(key, std::nullopt);
}

}  // namespace

bool BestSoFar::add(const BestOptions& options, int64_t step, const Evaluation& evaluation) {
  const double value = metric_of(evaluation, options.metric);
  const auto beats = [&](double other) { return options.higher ? value > other : value < other; };
  const bool better = std::isfinite(value) && (!best || beats(metric_of(best->evaluation, options.metric)));
  if (better) {
    best = {step, evaluation};
    since = 0;
  } else {
    ++since;
  }
  return better;
}

double metric_of(const Evaluation& evaluation, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, value] : all_metrics(evaluation)) {
    if (known == name) return value;
    names.push_back(known);
  }
  throw DataError("the validation has no {}, expected one of {}", quote(name), fmt::join(names, ", "));
}

Json to_json(const BestSoFar& best) {
  Json json = {{"since", best.since}};
  if (!best.best) return json;
  const Evaluation& evaluation = best.best->evaluation;
  Json metrics = Json::array();
  for (const auto& [name, value] : evaluation.metrics) metrics.push_back({{"name", name}, {"value", value}});
  json.update({{"step", best.best->step},
               {"loss", evaluation.loss},
               {"labels", evaluation.labels},
               {"metrics", std::move(metrics)}});
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) json[name] = *value;
  };
  add("accuracy", evaluation.accuracy);
  add("perplexity", evaluation.perplexity);
  add("bits_per_character", evaluation.bits_per_character);
  return json;
}

BestSoFar best_of(const JsonObject& json) {
  BestSoFar result{.best = {}, .since = json.get_int("since", std::nullopt, 0)};
  if (!json.has("step")) return result;
  Evaluation evaluation{.loss = json.get_double("loss", std::nullopt),
                        .accuracy = number(json, "accuracy"),
                        .labels = json.get_int("labels", std::nullopt, 0),
                        .perplexity = number(json, "perplexity"),
                        .bits_per_character = number(json, "bits_per_character"),
                        .metrics = {}};
  const Json metrics = json.value().value("metrics", Json::array());
  if (!metrics.is_array()) json.reject("metrics", "a list of objects");
  for (const Json& entry : metrics) {
    const JsonObject metric(entry, json.source());
    // JSON has no value that is not a number: null.
    evaluation.metrics.emplace_back(metric.get_string("name", std::nullopt),
                                    metric.get_double("value", std::numeric_limits<double>::quiet_NaN()));
  }
  result.best = {json.get_int("step", std::nullopt, 0), std::move(evaluation)};
  return result;
}

}  // namespace roformer
