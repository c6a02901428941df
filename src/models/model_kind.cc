#include "models/model_kind.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

namespace {

// Families whose tensors are named like a BERT's or, the last, a Llama's, but compute something else: only "model_type"
// tells them apart.
constexpr std::array kLookalikes{"roberta.", "electra.", "camembert.", "ernie.",  "nezha.",
                                 "albert.",  "deberta.", "mpnet.",     "q_norm.", "pre_feedforward_layernorm."};

// "roformer", "bert" or "llama", in quotes.
std::string known_types() {
  std::string text;
  const std::vector<std::string> types = model_types();
  for (size_t i = 0; i < types.size(); ++i) {
    text += i == 0 ? "" : i + 1 == types.size() ? " or " : ", ";
    text += "\"" + types[i] + "\"";
  }
  return text;
}

const AvailableTensor* find_tensor(const AvailableTensors& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &AvailableTensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

// The family that one of the names is a sign of, and that name as it is in the file.
std::pair<const Family*, std::string> family_of_names(const JsonObject& json, const AvailableTensors& tensors) {
  for (const AvailableTensor& tensor : tensors) {
    for (const char* other : kLookalikes) {
      if (("." + tensor.stored_name).find("." + std::string(other)) != std::string::npos)
        json.reject("model_type",
                    fmt::format("{}; the tensors ({}) are another family's", known_types(), quote(tensor.stored_name)));
    }
  }
  for (const Family* family : all_families()) {
    for (const char* sign : family->signs) {
      const auto found = std::ranges::find_if(
          tensors, [&](const AvailableTensor& tensor) { return matches_pattern(tensor.name, sign); });
      if (found != tensors.end()) return {family, found->stored_name};
    }
  }
  return {nullptr, ""};
}

bool has_head(const Family& family, Head head) {
  return std::ranges::find(family.architectures, head, &Architecture::head) != family.architectures.end();
}

// The rows of the file's classifier.
std::optional<int64_t> label_rows(const Family& family, const AvailableTensors& tensors) {
  if (!has_head(family, Head::token_classification)) return std::nullopt;
  for (const char* ours : {"sequence_labels.output.weight", "labels.output.weight"}) {
    const AvailableTensor* tensor = find_tensor(tensors, name_in_files(family, ours));
    constexpr int64_t kMaxLabels = 100'000;
    if (tensor != nullptr && tensor->shape.rank() == 2 && tensor->shape[0] > 0 && tensor->shape[0] <= kMaxLabels)
      return tensor->shape[0];
  }
  return std::nullopt;
}

// How a head fits the tensors; none if config.json excludes it, for a `reason`.
std::optional<LoadingPlan> try_head(const JsonObject& json, const ModelKind& kind, const AvailableTensors& tensors,
                                    const std::string& source, std::string* reason = nullptr) {
  try {
    ModelConfig config = read_config(json, kind);
    complete_from_names(config, tensors);
    return LoadingPlan(config, tensors, source, LoadingPlan::Fit::nothing);
  } catch (const DataError& error) {
    if (reason != nullptr) *reason = error.what();
    return std::nullopt;
  }
}

std::string lacking(const LoadingPlan& plan) {
  const auto& missing = plan.missing_in_head();
  return fmt::format("{} lacks {}{}", plan.source(), plan.describe(missing.front()),
                     missing.size() > 1 ? fmt::format(" and {} more", missing.size() - 1) : "");
}

// What is wrong with a head of this plan; empty if it fits.
std::string problem_of(Head head, const LoadingPlan& plan) {
  if (!plan.missing_in_head().empty()) return lacking(plan);
  if (plan.wrong_in_head().empty()) return "";
  return fmt::format("the head for {} does not fit: {}", head_name(head), plan.wrong_in_head().front());
}

// Heads in the order in which they are tried: first one that the name of an unknown class ends with.
std::vector<Head> candidates(const JsonObject& json, const Family& family, const std::string& architecture) {
  const bool decoder = json.get_bool("is_decoder", false);
  std::vector<Head> heads;
  for (const Architecture& known : family.architectures) {
    const std::string_view name = known.name;
    const size_t at = name.find("For");
    if (at != name.npos && architecture.ends_with(name.substr(at))) heads.push_back(known.head);
  }
  for (const Head head : {decoder ? Head::causal_lm : Head::masked_lm, Head::causal_lm, Head::sequence_classification,
                          Head::token_classification, Head::question_answering, Head::multiple_choice}) {
    const bool masked = head == Head::causal_lm && !decoder && has_head(family, Head::masked_lm);
    if (has_head(family, head) && !masked) heads.push_back(head);
  }
  return heads;
}

// The head that the tensors hold. With `any`, also one without tensors of its own (tied output weights).
struct HeldHead {
  Head head = Head::none;
  std::string problem;  // without a head: the one whose tensors are there, and what is wrong with them
};
HeldHead held_head(const JsonObject& json, ModelKind kind, const std::string& architecture,
                   const AvailableTensors& tensors, const std::string& source, bool any) {
  HeldHead result;
  for (const Head head : candidates(json, *kind.family, architecture)) {
    // Labels of tokens are several; one row is a score.
    if (head == Head::token_classification && kind.labels == 1 && !architecture.ends_with("ForTokenClassification"))
      continue;
    kind.head = head;
    const std::optional<LoadingPlan> fit = try_head(json, kind, tensors, source);
    if (!fit || (fit->held_by_head() == 0 && (!any || !fit->missing_in_head().empty()))) continue;
    const std::string problem = problem_of(head, *fit);
    if (problem.empty()) return {head, ""};
    if (result.problem.empty()) result.problem = problem;
  }
  return result;
}

std::string tensors_say(const HeldHead& held) {
  if (!held.problem.empty()) return held.problem;
  return held.head == Head::none ? "the tensors hold no head"
                                 : fmt::format("the tensors hold a head ({})", head_name(held.head));
}

void decide_head(const JsonObject& json, const NamedKind& named, const AvailableTensors& tensors,
                 const std::string& source, DecidedKind& decided) {
  ModelKind& kind = decided.kind;
  const bool of_trunk = named.head == Head::none;
  std::string missing;
  bool partly = false;  // the named head is there, if broken, so that it is no other
  if (named.head && !of_trunk) {
    kind.head = *named.head;
    const std::optional<LoadingPlan> fit = try_head(json, kind, tensors, source, &missing);
    if (fit) missing = problem_of(kind.head, *fit);
    if (missing.empty()) return;
    partly = !fit || fit->held_by_head() > 0;
  }
  kind.head = Head::none;
  read_config(json, kind);  // an error about the trunk
  const HeldHead held =
      partly ? HeldHead() : held_head(json, kind, named.architecture, tensors, source, !named.head.has_value());
  kind.head = held.head;
  if (of_trunk) {
    if (held.head != Head::none) decided.head_reason = "beyond architectures: " + tensors_say(held);
    decided.missing_head = held.problem;
    return;
  }
  if (held.head == Head::none) decided.missing_head = missing.empty() ? held.problem : missing;
  const std::string names = quote(named.architecture);
  if (named.architecture.empty()) {
    decided.head_reason = "no architectures: " + tensors_say(held);
    if (!decided.missing_head.empty()) decided.warnings.push_back(fmt::format("{}: {}", source, decided.missing_head));
    return;
  }
  const Family* const others = find_architecture(named.architecture).family;
  const std::string what = named.head          ? missing
                           : others != nullptr ? fmt::format("a {}, unlike model_type", others->name)
                                               : "which is not known here";
  decided.head_reason =
      fmt::format("architectures names {}, {}; {}", names, named.head ? "not usable" : what, tensors_say(held));
  decided.warnings.push_back(fmt::format("{}: 'architectures' names {}, {}{}; {}", json.source(), names,
                                         named.head ? "but " : "", what, tensors_say(held)));
}

// The first class of "architectures", or the one that stands there without a list.
std::string first_architecture(const JsonObject& json) {
  if (json.has("architectures") && json.value()["architectures"].is_string())
    return json.get_string("architectures", std::nullopt);
  const auto names = json.get_strings("architectures", std::vector<std::string>{});
  return names.empty() ? "" : names[0];
}

}  // namespace

NamedKind named_kind(const JsonObject& json) {
  const std::string type = json.get_string("model_type", "");
  NamedKind named{.family = find_family(type), .head = {}, .architecture = first_architecture(json)};
  if (!type.empty() && named.family == nullptr) json.reject("model_type", known_types());
  const ModelKind found = find_architecture(named.architecture);
  if (found.family == nullptr || (named.family != nullptr && named.family != found.family)) return named;
  named.family = found.family;
  named.head = found.head;
  return named;
}

void refuse_architecture(const JsonObject& json) {
  json.reject("architectures", fmt::format("one of {} first", fmt::join(architecture_names(), ", ")));
}

DecidedKind decide_kind(const JsonObject& json, const AvailableTensors& tensors, const std::string& source) {
  const NamedKind named = named_kind(json);
  DecidedKind decided;
  if (named.family != nullptr) {
    decided.kind.family = named.family;
    if (!json.has("model_type")) decided.family_reason = "no model_type: by architectures";
  } else {
    const auto [family, name] = family_of_names(json, tensors);
    if (family == nullptr && !named.architecture.empty()) refuse_architecture(json);
    if (family != nullptr) decided.kind.family = family;
    decided.family_reason =
        family == nullptr ? "no model_type" : fmt::format("no model_type: by the name of tensor {}", quote(name));
  }
  decided.kind.labels = label_rows(*decided.kind.family, tensors);
  decide_head(json, named, tensors, source, decided);
  return decided;
}

void complete_from_names(ModelConfig& config, const AvailableTensors& tensors) {
  const std::string prefix = std::string(config.family->trunk) + ".";
  const auto has = [&](const std::string& name) {
    return std::ranges::any_of(
        tensors, [&](const AvailableTensor& one) { return one.name == name || one.name == prefix + name; });
  };
  if (has("pooler.dense.weight")) config.pooler = true;
  if (config.family->complete_from_names != nullptr) config.family->complete_from_names(config, has);
}

}  // namespace roformer
