// The adapter directory that peft reads.
#include "training/adapter_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/families/family.h"
#include "tests/training/training_trial.h"

namespace roformer::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

class AdapterFilesTest : public TrainingTrial {
 protected:
  Model classifier(const Family& family, const LoraOptions& options) const {
    ModelConfig config = this->config();
    config.family = &family;
    config.head = Head::sequence_classification;
    if (&family == &families::bert) {
      config.position = LearnedPosition{};
      config.pooler = true;
    }
    complete(config, "");
    Model model(*backend_, config, true);
    freeze(model, {.lora = options});
    return model;
  }
};

TEST_F(AdapterFilesTest, NamesAreThoseOfPeft) {
  const LoraOptions options{.rank = 2, .alpha = 6};
  const Model model = classifier(families::bert, options);
  const LoraAdapters lora(model, options, 1, {1, 2});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : adapter_tensors(model, lora)) names.push_back(name);
  std::ranges::sort(names);
  EXPECT_THAT(names, ElementsAre("base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight",
                                 "base_model.model.bert.encoder.layer.0.attention.self.query.lora_B.weight",
                                 "base_model.model.bert.encoder.layer.0.attention.self.value.lora_A.weight",
                                 "base_model.model.bert.encoder.layer.0.attention.self.value.lora_B.weight",
                                 "base_model.model.bert.pooler.dense.bias", "base_model.model.bert.pooler.dense.weight",
                                 "base_model.model.classifier.bias", "base_model.model.classifier.weight"));
  const Json config = Json::parse(adapter_config(model, options, "somewhere"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], "SEQ_CLS");
  EXPECT_EQ(config["base_model_name_or_path"], "somewhere");
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["lora_alpha"], 6);
  EXPECT_EQ(config["target_modules"], Json({"attention.self.query", "attention.self.value"}));
  EXPECT_EQ(config["modules_to_save"], Json({"classifier", "pooler"}));
}

TEST_F(AdapterFilesTest, ALanguageModelsHeadIsWhole) {
  Model model(*backend_, config(), true);
  freeze(model, {.lora = {.rank = 2}});
  const LoraAdapters lora(model, {.rank = 2}, 1, {1, 2});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : adapter_tensors(model, lora)) {
    if (name.find("lora") == std::string::npos) names.push_back(name);
  }
  EXPECT_THAT(names,
              ElementsAre("base_model.model.cls.predictions.bias", "base_model.model.cls.predictions.decoder.bias",
                          "base_model.model.cls.predictions.decoder.weight",
                          "base_model.model.cls.predictions.transform.LayerNorm.bias",
                          "base_model.model.cls.predictions.transform.LayerNorm.weight",
                          "base_model.model.cls.predictions.transform.dense.bias",
                          "base_model.model.cls.predictions.transform.dense.weight"));
}

// peft compares ends of names: "output.dense" would also be "attention.output.dense".
TEST_F(AdapterFilesTest, TargetsWhoseEndsMeanOthersAreNamedWhole) {
  const LoraOptions options{.rank = 2, .targets = {"down"}};
  const Model model = classifier(families::bert, options);
  EXPECT_EQ(Json::parse(adapter_config(model, options, ""))["target_modules"],
            Json({"bert.encoder.layer.0.output.dense"}));
  const LoraOptions both{.rank = 2, .targets = {"down", "output"}};
  EXPECT_THAT(Json::parse(adapter_config(classifier(families::bert, both), both, ""))["target_modules"],
              Contains("output.dense"));
}

TEST_F(AdapterFilesTest, WeightsThatFilesCombineCannotBeNamed) {
  ModelConfig config = this->config();
  config.family = &families::gpt_neox;
  config.head = Head::causal_lm;
  config.attention_mask = AttentionMask::causal;
  config.segments = 0;
  config.norms = kPreNorms;
  config.tied = false;
  config.position = RotaryPosition{.rotary = {.layout = RotaryLayout::half}};
  complete(config, "");
  const Model model(*backend_, config, true);
  EXPECT_THROW(adapter_config(model, {.rank = 2}, ""), UsageError);
  EXPECT_NO_THROW(adapter_config(model, {.rank = 2, .targets = {"up"}}, ""));
}

}  // namespace
}  // namespace roformer::test
