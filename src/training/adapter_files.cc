#include "training/adapter_files.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "models/families/family.h"

namespace roformer {

namespace {

std::string trunk_prefix(const Model& model) { return std::string(model.config().family->trunk) + "."; }

// A parameter's name in transformers' model: that of files, which for a trunk alone has no prefix.
std::string module_name(const Model& model, const std::string& name) {
  const std::string prefix = trunk_prefix(model);
  return model.config().head == Head::none && name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string without_suffix(const std::string& name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

// After the layer's number: "attention.self.query".
std::string within_layer(const std::string& name) {
  const size_t digit = name.find_first_of("0123456789");
  const size_t dot = digit == std::string::npos ? digit : name.find('.', digit);
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

// What peft compares the ends of modules' names with: names within the layer, or whole ones where the former would also
// mean other modules.
std::set<std::string> target_modules(const Model& model, const LoraOptions& options) {
  std::set<std::string> whole, within;
  std::vector<std::string> others;
  for (size_t i = 0; i < model.table().size(); ++i) {
    const std::string& ours = model.table()[i].spec.name;
    if (!ours.ends_with(".weight")) continue;
    const std::string name = without_suffix(module_name(model, model.parameters()[i].name), ".weight");
    if (!is_lora_target(options, ours)) {
      others.push_back(name);
      continue;
    }
    if (rule_of(*model.config().family, ours).arrangement != Arrangement::whole) {
      throw UsageError("{} is adapter, but files of {} hold {} together with other weights; peft could not adapt it",
                       FieldName("lora_save"), model.config().family->name, ours);
    }
    whole.insert(name);
    within.insert(within_layer(name));
  }
  const bool ambiguous = std::ranges::any_of(others, [&](const std::string& other) {
    return std::ranges::any_of(within, [&](const std::string& end) { return other.ends_with("." + end); });
  });
  return ambiguous ? whole : within;
}

bool is_saved_whole(const Model& model, size_t i) {
  return !is_of_trunk(model.table()[i].spec.name) && model.parameters()[i].parameter.gradient.defined();
}

// "classifier", or "pooler" of "bert.pooler.dense.weight".
std::set<std::string> modules_to_save(const Model& model) {
  std::set<std::string> modules;
  for (size_t i = 0; i < model.table().size(); ++i) {
    if (!is_saved_whole(model, i)) continue;
    std::string name = model.parameters()[i].name;
    if (name.starts_with(trunk_prefix(model))) name = name.substr(trunk_prefix(model).size());
    modules.insert(name.substr(0, name.find('.')));
  }
  return modules;
}

// peft asks for all of a module: in BERT's language-model head also for tied weights, and the bias by both of its
// names.
void complete_head(const Model& model, std::map<std::string, Tensor>& head) {
  const std::string bias = "cls.predictions.bias", decoder = "cls.predictions.decoder.";
  if (head.contains(bias)) head.emplace(decoder + "bias", head[bias]);
  if (head.contains(decoder + "bias")) head.emplace(bias, head[decoder + "bias"]);
  if (head.contains(bias) && model.config().tied) {
    head.emplace(decoder + "weight", model.trunk().word_embeddings().value);
  }
}

Json task_of(Head head) {
  switch (head) {
    case Head::sequence_classification: return "SEQ_CLS";
    case Head::token_classification: return "TOKEN_CLS";
    case Head::question_answering: return "QUESTION_ANS";
    case Head::causal_lm: return "CAUSAL_LM";
    case Head::none: return "FEATURE_EXTRACTION";
    default: return nullptr;
  }
}

}  // namespace

std::string adapter_config(const Model& model, const LoraOptions& options, const std::string& base) {
  const int64_t rank = *options.rank;
  const Json config = {{"peft_type", "LORA"},
                       {"task_type", task_of(model.config().head)},
                       {"base_model_name_or_path", base},
                       {"r", rank},
                       {"lora_alpha", options.alpha.value_or(static_cast<double>(rank))},
                       {"lora_dropout", 0.0},
                       {"bias", "none"},
                       {"fan_in_fan_out", false},
                       {"inference_mode", true},
                       {"target_modules", target_modules(model, options)},
                       {"modules_to_save", modules_to_save(model)}};
  return config.dump(2) + "\n";
}

std::vector<std::pair<std::string, Tensor>> adapter_tensors(const Model& model, const LoraAdapters& lora) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    tensors.emplace_back("base_model.model." + module_name(model, name), model.backend().to_host(tensor));
  };
  for (const LoraAdapters::Adapter& one : lora.adapters()) {
    const std::string module = without_suffix(one.name, ".weight");
    add(module + ".lora_A.weight", one.a.value);
    add(module + ".lora_B.weight", one.b.value);
  }
  std::map<std::string, Tensor> head;
  for (size_t i = 0; i < model.table().size(); ++i) {
    if (is_saved_whole(model, i)) head[model.parameters()[i].name] = model.parameters()[i].parameter.value;
  }
  complete_head(model, head);
  for (const auto& [name, tensor] : head) add(name, tensor);
  return tensors;
}

}  // namespace roformer
