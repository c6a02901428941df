#include "inference/sentence_modules.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/directory_weights.h"
#include "formats/module_list.h"

namespace roformer {

namespace {

constexpr int64_t kLongest = int64_t{1} << 30;
constexpr const char *kTokens = "token_embeddings", *kSentence = "sentence_embedding";

// Reads the files of one directory into a SentenceModules. Of settings that cannot be followed the first is kept.
class ModulesReader {
 public:
  explicit ModulesReader(const std::string& directory) : directory_(directory) {}

  SentenceModules read() {
    if (const auto list = read_module_list(directory_)) {
      result_.listed = true;
      read_settings();
      for (size_t i = 0; i < list->size(); ++i) read_module((*list)[i], i == 0);
    }
    read_activation();
    return std::move(result_);
  }

 private:
  template <class... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    if (result_.unsupported.empty()) result_.unsupported = fmt::format(format, std::forward<Args>(args)...);
  }

  // Notes the keys that are none of `known` and have a value. `within`: the object's key, if it is not the whole file.
  void note_unknown(const JsonObject& file, std::initializer_list<std::string_view> known,
                    const std::string& within = "") {
    const JsonObject config = within.empty() ? file : file.get_object(within);
    for (const auto& [key, value] : config.value().items()) {
      if (value.is_null() || std::ranges::find(known, key) != known.end()) continue;
      result_.ignored.emplace_back(file.source(), within.empty() ? key : fmt::format("{}.{}", within, key));
    }
  }

  void read_module(const ListedModule& module, bool first) {
    const std::string name = module.class_name(), folder = join_path(directory_, module.folder);
    if (module.is_transformer() && first) return read_transformer(folder);
    if (name == "Pooling") return read_pooling(join_path(folder, "config.json"));
    if (name == "Normalize") return read_normalize(module.folder, folder);
    if (name == "Dense") return read_dense(folder);
    if (name == "LayerNorm") return read_layer_norm(folder);
    if (name == "Dropout") return;  // acts in training only
    refuse("{}: the module {} is not supported", join_path(directory_, "modules.json"), quote(module.type));
  }

  void read_transformer(const std::string& folder) {
    for (const std::string& name : sentence_config_names()) {
      const std::string path = join_path(folder, name);
      if (!exists(path)) continue;
      const JsonObject config = JsonObject::read(path);
      if (config.value().empty()) continue;
      return read_transformer_config(config);
    }
  }

  void read_transformer_config(const JsonObject& config) {
    note_unknown(config, {"max_seq_length", "do_lower_case", "transformer_task", "modality_config",
                          "module_output_name", "unpad_inputs", "model_args", "model_kwargs", "tokenizer_args",
                          "processor_kwargs", "config_args", "config_kwargs", "processing_kwargs"});
    // Each of these limits overrules those before it.
    read_limit(config, "max_seq_length");
    for (const char* key : {"processor_kwargs", "tokenizer_args"}) {
      read_limit(config.get_object(key), "model_max_length");
      note_unknown(config, {"model_max_length", "trust_remote_code"}, key);
    }
    const JsonObject processing = config.get_object("processing_kwargs");
    for (const char* key : {"common", "text"}) {
      read_limit(processing.get_object(key), "max_length");
      note_unknown(processing, {"max_length"}, key);
    }
    note_unknown(config, {"common", "text"}, "processing_kwargs");
    for (const char* key : {"model_args", "model_kwargs", "config_args", "config_kwargs"}) {
      // None of these changes what is computed in float32.
      note_unknown(
          config,
          {"trust_remote_code", "torch_dtype", "dtype", "attn_implementation", "device_map", "add_pooling_layer"}, key);
    }
    result_.lower_case = config.get_bool("do_lower_case", false);
    read_task(config);
  }

  void read_limit(const JsonObject& config, const char* key) {
    if (config.has(key)) result_.max_length = config.get_int(key, std::nullopt, 1, kLongest);
  }

  // What the transformer gives to the modules behind it.
  void read_task(const JsonObject& config) {
    const std::string task = config.get_string("transformer_task", "feature-extraction");
    const bool scores = task == "sequence-classification";
    if (!scores && task != "feature-extraction") {
      return refuse("{}: 'transformer_task' {} is not supported", config.source(), quote(task));
    }
    const std::string output = config.get_string("module_output_name", scores ? "scores" : kTokens);
    if (output != (scores ? "scores" : kTokens)) {
      return refuse("{}: 'module_output_name' {} is not supported", config.source(), quote(output));
    }
    if (!config.has("modality_config")) return;
    const JsonObject text = config.get_object("modality_config").get_object("text");
    const std::string method = text.get_string("method", ""), states = text.get_string("method_output_name", "");
    if (method != "forward" || states != (scores ? "logits" : "last_hidden_state")) {
      refuse("{}: 'modality_config' reads {} of {} for texts, expected {} of \"forward\"", config.source(),
             quote(states), quote(method), scores ? "\"logits\"" : "\"last_hidden_state\"");
    }
  }

  void read_pooling(const std::string& path) {
    const JsonObject config = JsonObject::read(path);
    note_unknown(config,
                 {"word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt",
                  "pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_mean_tokens",
                  "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"});
    PoolStep step{.modes = {}, .include_prompt = config.get_bool("include_prompt", true)};
    for (const std::string& mode : pooling_modes(config)) {
      const auto& names = pooling_names();
      const auto found = std::ranges::find(names, mode);
      if (found == names.end() || mode == "pooler") {
        return refuse("{}: pooling {} is not supported", path, quote(mode));
      }
      step.modes.push_back(static_cast<TextPooling>(found - names.begin()));
    }
    result_.steps.push_back({std::move(step)});
  }

  // In the order in which their vectors stand.
  static std::vector<std::string> pooling_modes(const JsonObject& config) {
    if (config.has("pooling_mode")) {
      if (!config.value()["pooling_mode"].is_array()) return {config.get_string("pooling_mode", std::nullopt)};
      std::vector<std::string> modes = config.get_strings("pooling_mode", std::nullopt);
      if (modes.empty()) config.reject("pooling_mode", "the name of a mode, or several");
      return modes;
    }
    constexpr std::pair<const char*, const char*> kSwitches[] = {
        {"pooling_mode_cls_token", "cls"},
        {"pooling_mode_max_tokens", "max"},
        {"pooling_mode_mean_tokens", "mean"},
        {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
        {"pooling_mode_weightedmean_tokens", "weightedmean"},
        {"pooling_mode_lasttoken", "lasttoken"},
    };
    std::vector<std::string> modes;
    for (const auto& [key, mode] : kSwitches) {
      if (config.get_bool(key, false)) modes.emplace_back(mode);
    }
    if (modes.empty()) modes.emplace_back("mean");
    return modes;
  }

  // Whether a module works on the vectors of the tokens; nothing if it names others than it can.
  std::optional<bool> reads_tokens(const JsonObject& config) {
    const std::string input = config.get_string("module_input_name", kSentence);
    const std::string output = config.get_string("module_output_name", input);
    if ((input == kTokens || input == kSentence) && output == input) return input == kTokens;
    refuse("{}: a module from {} to {} is not supported, expected one that changes \"{}\" or \"{}\"", config.source(),
           quote(input), quote(output), kSentence, kTokens);
    return std::nullopt;
  }

  void read_normalize(const std::string& name, const std::string& folder) {
    const std::string path = join_path(folder, "config.json");
    const bool has_own = !name.empty() && exists(path);  // without a folder it is the transformer's
    const JsonObject config = has_own ? JsonObject::read(path) : JsonObject(Json::object(), path);
    note_unknown(config, {"module_input_name", "module_output_name"});
    if (const auto tokens = reads_tokens(config)) result_.steps.push_back({NormalizeStep{}, *tokens});
  }

  void read_dense(const std::string& folder) {
    const std::string path = join_path(folder, "config.json");
    const JsonObject config = JsonObject::read(path);
    note_unknown(config, {"in_features", "out_features", "bias", "activation_function", "module_input_name",
                          "module_output_name", "use_residual"});
    const auto tokens = reads_tokens(config);
    const std::string activation = config.get_string("activation_function", "torch.nn.modules.activation.Tanh");
    DenseStep step{.weights = nullptr,
                   .activation = find_torch_activation(activation),
                   .residual = config.get_bool("use_residual", false)};
    if (step.activation == nullptr) {
      refuse("{}: 'activation_function' {} is not supported, only torch.nn's {}", path, quote(activation),
             torch_activation_names());
    }
    if (!tokens || step.activation == nullptr) return;
    constexpr int64_t kWidest = 1 << 20;
    DenseWeights weights;
    weights.inputs = config.get_int("in_features", std::nullopt, 1, kWidest);
    weights.outputs = config.get_int("out_features", std::nullopt, 1, kWidest);
    std::vector<Wanted> wanted = {{"linear.weight", {weights.outputs, weights.inputs}, &weights.weight}};
    if (config.get_bool("bias", true)) wanted.push_back({"linear.bias", {weights.outputs}, &weights.bias});
    if (step.residual && weights.inputs != weights.outputs) {
      wanted.push_back({"residual.weight", {weights.outputs, weights.inputs}, &weights.projection});
    }
    read_weights(folder, wanted);
    step.weights = std::make_shared<const DenseWeights>(std::move(weights));
    result_.steps.push_back({std::move(step), *tokens});
  }

  void read_layer_norm(const std::string& folder) {
    const JsonObject config = JsonObject::read(join_path(folder, "config.json"));
    note_unknown(config, {"dimension"});
    constexpr int64_t kWidest = 1 << 24;
    const int64_t width = config.get_int("dimension", std::nullopt, 1, kWidest);
    LayerNormStep step;
    read_weights(folder, {{"norm.weight", {width}, &step.weight}, {"norm.bias", {width}, &step.bias}});
    result_.steps.push_back({std::move(step)});
  }

  struct Wanted {
    std::string name;
    Shape shape;
    std::vector<float>* values;
  };
  // Exactly these tensors of the folder's weights; all that does not fit is reported at once.
  static void read_weights(const std::string& folder, const std::vector<Wanted>& wanted) {
    const DirectoryWeights weights = load_directory_weights(folder);
    std::vector<std::string> problems;
    for (const Wanted& one : wanted) {
      const auto found = weights.tensors.find(one.name);
      if (found == weights.tensors.end()) {
        problems.push_back(fmt::format("missing: {} {}", quote(one.name), one.shape.to_string()));
      } else if (found->second.shape() != one.shape || !is_real(found->second.dtype())) {
        problems.push_back(fmt::format("wrong: {} is {} {}, expected {}", quote(one.name),
                                       dtype_name(found->second.dtype()), found->second.shape().to_string(),
                                       one.shape.to_string()));
      }
    }
    for (const auto& [name, tensor] : weights.tensors) {
      if (std::ranges::find(wanted, name, &Wanted::name) == wanted.end()) {
        problems.push_back(fmt::format("extra: {} {}", quote(name), tensor.shape().to_string()));
      }
    }
    if (!problems.empty()) report_problems(weights.source, problems);
    for (const Wanted& one : wanted) {
      const Tensor values = Tensor::allocate(one.shape, DType::float32);
      copy_tensor(weights.tensors.at(one.name), values);
      one.values->assign(values.data<float>(), values.data<float>() + values.elements());
    }
  }

  void read_settings() {
    const std::string path = join_path(directory_, "config_sentence_transformers.json");
    if (!exists(path)) return;
    const JsonObject config = JsonObject::read(path);
    note_unknown(config, {"__version__", "model_type", "prompts", "default_prompt_name", "similarity_fn_name",
                          "truncate_dim", "activation_fn", "requirements", "keep_in_fp32_modules"});
    const JsonObject prompts = config.get_object("prompts");
    for (const auto& [name, text] : prompts.value().items()) result_.prompts[name] = prompts.get_string(name, "");
    if (config.has("default_prompt_name")) {
      result_.default_prompt = config.get_string("default_prompt_name", std::nullopt);
      if (!result_.prompts.contains(*result_.default_prompt)) {
        config.reject("default_prompt_name", fmt::format("one of the prompts: {}", prompt_names(result_)));
      }
    }
    if (config.has("truncate_dim")) result_.dimensions = config.get_int("truncate_dim", std::nullopt, 1, kLongest);
    const std::string similarity = config.get_string("similarity_fn_name", "cosine");
    constexpr std::pair<const char*, Similarity> kSimilarities[] = {{"cosine", Similarity::cosine},
                                                                    {"dot", Similarity::dot},
                                                                    {"dot_product", Similarity::dot},
                                                                    {"euclidean", Similarity::euclidean},
                                                                    {"manhattan", Similarity::manhattan}};
    const auto* found = std::ranges::find(kSimilarities, std::string_view(similarity),
                                          [](const auto& pair) { return std::string_view(pair.first); });
    if (found == std::end(kSimilarities)) {
      refuse("{}: 'similarity_fn_name' {} is not supported", config.source(), quote(similarity));
    } else {
      result_.similarity = found->second;
    }
    cross_encoder_ = config.get_string("model_type", "") == "CrossEncoder";
    if (config.has("activation_fn")) set_activation(config, "activation_fn");
  }

  // Where config_sentence_transformers.json has none: config.json of a cross-encoder.
  void read_activation() {
    const std::string path = join_path(model_directory(directory_), "config.json");
    if (result_.activation || !result_.unsupported_activation.empty() || !exists(path)) return;
    const JsonObject config = JsonObject::read(path);
    const JsonObject own = config.get_object("sentence_transformers");
    if (own.has("activation_fn")) return set_activation(own, "activation_fn");
    if (config.has("sbert_ce_default_activation_function")) {
      return set_activation(config, "sbert_ce_default_activation_function");
    }
    if (!cross_encoder_) return;
    const bool one = config.get_object("id2label").value().size() == 1 || config.get_int("num_labels", 2) == 1;
    result_.activation = LogitActivation{find_torch_activation(one ? "torch.nn.Sigmoid" : "torch.nn.Identity")};
  }

  void set_activation(const JsonObject& config, const char* key) {
    const std::string name = config.get_string(key, std::nullopt);
    const LogitActivation activation{find_torch_activation(name),
                                     name.starts_with("torch.nn.") && name.ends_with(".Softmax")};
    if (activation.each != nullptr || activation.softmax) {
      result_.activation = activation;
    } else {
      result_.unsupported_activation = fmt::format("{}: '{}' {} is not supported, only torch.nn's Softmax, {}",
                                                   config.source(), key, quote(name), torch_activation_names());
    }
  }

  const std::string& directory_;
  SentenceModules result_;
  bool cross_encoder_ = false;
};

}  // namespace

SentenceModules read_sentence_modules(const std::string& directory) { return ModulesReader(directory).read(); }

std::string prompt_names(const SentenceModules& modules) {
  std::vector<std::string> names;
  for (const auto& [name, text] : modules.prompts) names.push_back(quote(name));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace roformer
