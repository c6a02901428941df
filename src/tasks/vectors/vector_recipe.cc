#include "tasks/vectors/vector_recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "base/error.h"
#include "base/file.h"
#include "formats/module_list.h"
#include "models/families/family.h"

namespace roformer {

namespace {

constexpr const char* kSettings = "config_sentence_transformers.json";

// The pooling that the modules have, and whether they normalize.
void read_modules(const SentenceModules& modules, const std::string& directory, VectorRecipe& recipe) {
  if (!modules.unsupported.empty()) throw DataError("{}", modules.unsupported);
  const std::string list = join_path(directory, "modules.json");
  std::optional<TextPooling> pooling;
  for (const SentenceStep& step : modules.steps) {
    if (const auto* pool = std::get_if<PoolStep>(&step.what); pool != nullptr && !pooling) {
      if (pool->modes.size() != 1) {
        throw DataError("{}: vectors that are several poolings side by side cannot be trained, expected one",
                        FilePath(list));
      }
      if (!pool->include_prompt && !recipe.preparation.prompt.empty()) {
        throw DataError("{}: a pooling that leaves out the prompt cannot be trained", FilePath(list));
      }
      pooling = pool->modes.front();
    } else if (std::holds_alternative<NormalizeStep>(step.what) && !step.on_tokens && pooling) {
      recipe.normalize = true;
    } else {
      throw DataError("{}: only the transformer, Pooling and Normalize can be trained, not other modules or poolings",
                      FilePath(list));
    }
  }
  if (!pooling) throw DataError("{}: has no Pooling", FilePath(list));
  recipe.pooling = *pooling;
}

void require_trainable(TextPooling pooling) {
  switch (pooling) {
    case TextPooling::cls:
    case TextPooling::mean:
    case TextPooling::max:
    case TextPooling::lasttoken:
    case TextPooling::pooler: return;
    default:
      throw DataError("the pooling {} cannot be trained, expected cls, mean, max or lasttoken; choose another {}",
                      pooling_names()[static_cast<size_t>(pooling)], FieldName("pooling"));
  }
}

std::string text_of(const Json& json) { return json.dump(2) + "\n"; }

std::string pooling_file(TextPooling pooling, int64_t width) {
  Json file = {{"word_embedding_dimension", width}};
  constexpr std::pair<const char*, TextPooling> kSwitches[] = {
      {"pooling_mode_cls_token", TextPooling::cls},
      {"pooling_mode_mean_tokens", TextPooling::mean},
      {"pooling_mode_max_tokens", TextPooling::max},
      {"pooling_mode_mean_sqrt_len_tokens", TextPooling::mean_sqrt_len_tokens},
      {"pooling_mode_weightedmean_tokens", TextPooling::weightedmean},
      {"pooling_mode_lasttoken", TextPooling::lasttoken}};
  for (const auto& [key, mode] : kSwitches) file[key] = mode == pooling;
  file["include_prompt"] = true;
  return text_of(file);
}

// Prompts are those of the directory.
std::string settings_file(const std::string& directory) {
  Json settings = {{"prompts", {{"query", ""}, {"document", ""}}}, {"default_prompt_name", nullptr}};
  const auto files = module_files(directory);
  if (const auto found = files.find(kSettings); found != files.end()) {
    settings = parse_json(found->second, kSettings, {}, join_path(directory, kSettings));
    settings.erase("truncate_dim");
  }
  settings["similarity_fn_name"] = "cosine";
  return text_of(settings);
}

std::map<std::string, std::string> sentence_files(const std::string& directory, const VectorRecipe& recipe,
                                                  int64_t width) {
  const auto module = [](int index, const char* path, const char* name) {
    return Json{{"idx", index},
                {"name", std::to_string(index)},
                {"path", path},
                {"type", std::string("sentence_transformers.models.") + name}};
  };
  Json list = {module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")};
  if (recipe.normalize) list.push_back(module(2, "2_Normalize", "Normalize"));
  const TextPreparation& text = recipe.preparation;
  return {
      {"modules.json", text_of(list)},
      {"1_Pooling/config.json", pooling_file(recipe.pooling, width)},
      {"sentence_bert_config.json", text_of({{"max_seq_length", text.max_length}, {"do_lower_case", text.lower_case}})},
      {kSettings, settings_file(directory)}};
}

}  // namespace

EmbedOptions VectorRecipe::embed_options() const {
  EmbedOptions options{.steps = {{PoolStep{{pooling}}}}};
  if (normalize) options.steps.push_back({NormalizeStep{}});
  return options;
}

VectorRecipe make_vector_recipe(const std::string& directory, const ModelConfig& config, const std::string& pooling,
                                int64_t max_length, int64_t usual) {
  const SentenceModules modules = read_sentence_modules(directory);
  VectorRecipe recipe;
  if (modules.default_prompt) recipe.preparation.prompt = modules.prompts.at(*modules.default_prompt);
  recipe.preparation.lower_case = modules.lower_case;
  if (modules.listed) {
    read_modules(modules, directory, recipe);
  } else {
    recipe.pooling = default_pooling(config);
  }
  if (pooling == "first") recipe.pooling = TextPooling::cls;
  if (pooling == "last") recipe.pooling = TextPooling::lasttoken;
  if (pooling == "mean") recipe.pooling = TextPooling::mean;
  require_trainable(recipe.pooling);
  const LengthLimit limit = length_limit(config);
  if (max_length > limit.tokens) {
    throw UsageError("{} {} is more than {}: {}", FieldName("max_length"), max_length, limit.tokens, limit.reason);
  }
  recipe.preparation.max_length =
      max_length > 0 ? max_length : std::min(modules.max_length.value_or(usual), limit.tokens);
  if (recipe.pooling != TextPooling::pooler) recipe.files = sentence_files(directory, recipe, config.hidden);
  return recipe;
}

Value pooled_vectors(const Context& context, const Model& model, TextPooling pooling, const Value& hidden,
                     const Batch& batch) {
  switch (pooling) {
    case TextPooling::pooler: return model.pooled(context, hidden, batch);
    case TextPooling::cls: return gather_rows(context, hidden, token_rows(batch, TokenOfSequence::first));
    case TextPooling::lasttoken: return gather_rows(context, hidden, token_rows(batch, TokenOfSequence::last));
    case TextPooling::max: return pool(context, hidden, batch.offsets, Pooling::max);
    default: return pool(context, hidden, batch.offsets, Pooling::mean);
  }
}

}  // namespace roformer
