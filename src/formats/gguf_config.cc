#include "formats/gguf_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "position/scaling.h"

namespace roformer {

namespace {

constexpr const char* kFactors = "rope_freqs.weight";
constexpr const char *kScalingType = "rope.scaling.type", *kScalingFactor = "rope.scaling.factor",
                     *kOriginalLength = "rope.scaling.original_context_length", *kOldScale = "rope.scale_linear";

// Known without a key of config.json: said elsewhere there, or by the tensors, or of no effect.
constexpr std::string_view kOtherKeys[] = {"vocab_size",           "rope.dimension_count",
                                           "attention.key_length", "attention.value_length",
                                           "attention.causal",     "attention.head_count_kv",
                                           "expert_count",         "expert_used_count",
                                           "tensor_data_layout",   "rope.scaling.finetuned",
                                           kScalingType,           kScalingFactor,
                                           kOriginalLength,        kOldScale};

class GgufConfigBuilder {
 public:
  GgufConfigBuilder(const GgufFile& file, const GgufArchitecture& architecture)
      : file_(file), metadata_(file.metadata()), architecture_(architecture) {}

  Json build() {
    config_ = {{"architectures", {architecture_.class_name}},
               {"model_type", architecture_.model_type},
               {architecture_.activation_key, architecture_.activation},
               {"tie_word_embeddings", file_.find("output.weight") == nullptr}};
    copy_keys();
    check_numbers();
    set_vocabulary();
    if (architecture_.complete != nullptr) architecture_.complete(file_, config_);
    check_heads();
    set_scaling();
    config_.update(gguf_generation_config(file_));
    return std::move(config_);
  }

 private:
  std::string full(std::string_view key) const { return std::string(architecture_.name) + "." + std::string(key); }

  void copy_keys() {
    const std::string prefix = full("");
    std::set<std::string_view> known(std::begin(kOtherKeys), std::end(kOtherKeys));
    for (const GgufName& key : architecture_.keys) {
      known.insert(key.theirs);
      if (metadata_.has(full(key.theirs))) config_[key.ours] = metadata_.value()[full(key.theirs)];
    }
    for (const auto& [key, value] : metadata_.value().items()) {
      if (key.starts_with(prefix) && !known.contains(std::string_view(key).substr(prefix.size()))) config_[key] = value;
    }
    for (const GgufName& key : architecture_.keys) {
      if (std::string_view(key.theirs) == "rope.freq_base" && !config_.contains(key.ours)) config_[key.ours] = 10000.0;
    }
    if (metadata_.get_int(full("expert_count"), 0) != 0) {
      metadata_.reject(full("expert_count"), "0: models of several experts are not supported");
    }
    if (!metadata_.get_bool(full("attention.causal"), true)) metadata_.reject(full("attention.causal"), "true");
  }

  // Where later steps compute with them; the other keys are checked by whoever reads config.json.
  void check_numbers() const {
    constexpr int64_t kMost = int64_t{1} << 32;
    for (const char* key : {"block_count", "embedding_length", "attention.head_count"}) {
      metadata_.get_int(full(key), std::nullopt, 1, kMost);
    }
    metadata_.get_int(full("attention.key_length"), 1, 1, kMost);
  }

  void set_vocabulary() {
    const GgufTensor* words = file_.find("token_embd.weight");
    if (words == nullptr || words->shape.size() != 2) {
      throw DataError("{}: has no matrix \"token_embd.weight\" of word embeddings", FilePath(file_.path()));
    }
    config_["vocab_size"] = words->shape[0];
  }

  int64_t head_size() const {
    const int64_t heads = config_["num_attention_heads"].get<int64_t>();
    return metadata_.get_int(full("attention.key_length"), config_["hidden_size"].get<int64_t>() / heads);
  }

  void check_heads() const {
    const int64_t size = head_size();
    if (metadata_.get_int(full("attention.value_length"), size) != size) {
      metadata_.reject(full("attention.value_length"), fmt::format("{}, as of keys", size));
    }
    const bool partial = config_.contains("rotary_pct");
    if (!partial && metadata_.get_int(full("rope.dimension_count"), size) != size) {
      metadata_.reject(full("rope.dimension_count"), fmt::format("{}, the size of a head", size));
    }
  }

  void set_scaling() {
    const std::string type = metadata_.get_string(full(kScalingType), "");
    const double old = metadata_.get_double(full(kOldScale), 1);
    if (type == "linear" || (type.empty() && old != 1)) {
      config_["rope_scaling"] = {{"rope_type", "linear"}, {"factor", metadata_.get_double(full(kScalingFactor), old)}};
    } else if (type == "yarn") {
      config_["rope_scaling"] = {
          {"rope_type", "yarn"},
          {"factor", metadata_.get_double(full(kScalingFactor), std::nullopt)},
          {"original_max_position_embeddings", metadata_.get_int(full(kOriginalLength), std::nullopt)}};
    } else if (!type.empty() && type != "none") {
      metadata_.reject(full(kScalingType), "none, linear or yarn");
    }
    if (file_.find(kFactors) != nullptr) set_factors(*file_.find(kFactors));
  }

  [[noreturn]] void refuse_factors(const std::string& why) const {
    throw DataError("'{}': tensor {} {}, expected the divisors of Llama 3's rotary scaling", FilePath(file_.path()),
                    TensorName(kFactors, quote(kFactors)), why);
  }

  // Llama 3's scaling is there as the divisor of each frequency.
  void set_factors(const GgufTensor& tensor) {
    const int64_t size = head_size();
    if (std::string_view(tensor.type->name) != "F32" || tensor.shape != std::vector<int64_t>{size / 2}) {
      refuse_factors(fmt::format("is not F32 [{}]", size / 2));
    }
    std::vector<float> divisors(static_cast<size_t>(size / 2));
    if (!decode_row(*tensor.type, file_.data(tensor), size / 2, divisors.data())) refuse_factors("is not finite");
    if (std::ranges::all_of(divisors, [](float x) { return x == 1; })) return;
    if (config_.contains("rope_scaling")) refuse_factors("is there beside another scaling");
    const double base = metadata_.get_double(full("rope.freq_base"), 10000, 1.001);
    const double factor = *std::ranges::max_element(divisors);
    constexpr int64_t kLongest = 1 << 20;
    for (int64_t original = 1; factor > 1 && original <= kLongest; original *= 2) {
      const Llama3Scaling scaling{.factor = factor, .original_positions = original};
      if (!same_divisors(scale_frequencies(scaling, size, base, 0).divisors, divisors)) continue;
      config_["rope_scaling"] = {{"rope_type", "llama3"},
                                 {"factor", factor},
                                 {"low_freq_factor", scaling.low_freq_factor},
                                 {"high_freq_factor", scaling.high_freq_factor},
                                 {"original_max_position_embeddings", original}};
      return;
    }
    refuse_factors("holds other values");
  }

  static bool same_divisors(const std::vector<double>& expected, const std::vector<float>& found) {
    constexpr double kRounding = 1e-4;  // the file's were computed in float32
    if (expected.size() != found.size()) return false;
    for (size_t i = 0; i < found.size(); ++i) {
      if (!(std::abs(expected[i] - static_cast<double>(found[i])) <= kRounding * expected[i])) return false;
    }
    return true;
  }

  const GgufFile& file_;
  const JsonObject& metadata_;
  const GgufArchitecture& architecture_;
  Json config_;
};

// A token that ends a turn, by its text: files name the end of a text alone, and llama.cpp stops at these, too.
constexpr std::string_view kTurnEnds[] = {"<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|end|>"};

std::vector<int64_t> end_tokens(const JsonObject& metadata) {
  std::vector<int64_t> ids;
  const auto add = [&](int64_t id) {
    if (id >= 0 && std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
  };
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    add(metadata.get_int(key, -1, -1, INT32_MAX));
  }
  const Json& all = metadata.value();
  const auto tokens = all.find("tokenizer.ggml.tokens"), types = all.find("tokenizer.ggml.token_type");
  if (tokens == all.end() || types == all.end() || !tokens->is_array() || !types->is_array()) return ids;
  constexpr int kControl = 3;
  for (size_t i = 0; i < std::min(tokens->size(), types->size()); ++i) {
    if ((*types)[i] != kControl || !(*tokens)[i].is_string()) continue;
    if (std::ranges::find(kTurnEnds, (*tokens)[i].get_ref<const std::string&>()) != std::end(kTurnEnds)) {
      add(static_cast<int64_t>(i));
    }
  }
  return ids;
}

}  // namespace

Json gguf_config(const GgufFile& file, const GgufArchitecture& architecture) {
  return GgufConfigBuilder(file, architecture).build();
}

Json gguf_generation_config(const GgufFile& file) {
  const JsonObject& metadata = file.metadata();
  Json config = Json::object();
  for (const auto& [theirs, ours] : {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"},
                                     std::pair{"tokenizer.ggml.padding_token_id", "pad_token_id"}}) {
    if (metadata.has(theirs)) config[ours] = metadata.get_int(theirs, std::nullopt, 0, INT32_MAX);
  }
  const std::vector<int64_t> ends = end_tokens(metadata);
  if (ends.size() == 1) config["eos_token_id"] = ends[0];
  if (ends.size() > 1) config["eos_token_id"] = ends;
  return config;
}

}  // namespace roformer
