// What a directory's model is: family, head, names and tying by config.json and tensors together.
#include "models/model_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/families/family.h"
#include "models/model.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

Json shape(const std::string& type, const std::string& architecture, const Json& more = Json::object()) {
  Json json = {{"model_type", type},     {"architectures", {architecture}}, {"vocab_size", 11},      {"hidden_size", 8},
               {"num_hidden_layers", 1}, {"num_attention_heads", 2},        {"intermediate_size", 6}};
  json.update(more);
  return json;
}

Json without(Json json, const std::vector<const char*>& keys) {
  for (const char* key : keys) json.erase(key);
  return json;
}

class ModelKindTest : public ::testing::Test {
 protected:
  // Random weights of a model, to be changed before load().
  void make(const Json& config) {
    config_ = config;
    const Model model(*backend_, read_config(JsonObject(config, "config")), false);
    randomize(model, 5);
    weights_.clear();
    for (const auto& [name, tensor] : model.weights()) weights_.emplace(name, tensor);
  }

  PlannedModel plan() {
    write_file_atomically(directory_ / "config.json", dump_json(config_));
    write_safetensors(directory_ / "model.safetensors", {weights_.begin(), weights_.end()});
    return plan_model(directory_.path());
  }
  Head head() { return plan().config.head; }

  void rename_all(const std::function<std::string(const std::string&)>& spelling) {
    StateDict renamed;
    for (const auto& [name, tensor] : weights_) renamed.emplace(spelling(name), tensor);
    weights_ = std::move(renamed);
  }

  Tensor filled(const Shape& of, double value) {
    const Tensor x = Tensor::allocate(of, DType::float32);
    backend_->fill(x, value);
    return x;
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
  TempDirectory directory_;
  Json config_;
  StateDict weights_;
};

const std::vector<std::pair<Json, const Family*>>& family_cases() {
  static const std::vector<std::pair<Json, const Family*>> cases = {
      {shape("roformer", "RoFormerForMaskedLM", {{"embedding_size", 4}}), &families::roformer},
      {shape("bert", "BertForMaskedLM"), &families::bert},
      {shape("llama", "LlamaForCausalLM"), &families::llama},
      {shape("gpt_neox", "GPTNeoXForCausalLM", {{"rotary_pct", 1}}), &families::gpt_neox}};
  return cases;
}

TEST_F(ModelKindTest, FamilyAndHeadByTheTensors) {
  for (const auto& [config, family] : family_cases()) {
    SCOPED_TRACE(config["model_type"]);
    make(config);
    config_ = without(config_, {"model_type", "architectures"});
    const PlannedModel whole = plan();
    EXPECT_EQ(whole.config.family, family);
    EXPECT_TRUE(whole.config.is_language_model());
    EXPECT_THAT(whole.notes.family_reason, HasSubstr("no model_type: by the name of tensor"));
    EXPECT_THAT(whole.notes.head_reason, HasSubstr(head_name(whole.config.head)));
    EXPECT_THAT(whole.notes.warnings, IsEmpty());
    // The trunk alone, as saved without a prefix.
    const std::string prefix = std::string(family->trunk) + ".";
    std::erase_if(weights_, [&](const auto& one) { return !one.first.starts_with(prefix); });
    rename_all([&](const std::string& name) { return name.substr(prefix.size()); });
    const PlannedModel trunk = plan();
    EXPECT_EQ(trunk.config.family, family);
    EXPECT_EQ(trunk.config.head, Head::none);
  }
}

TEST_F(ModelKindTest, ModelTypeBeforeNames) {
  make(shape("roformer_variant", "RoFormerForMaskedLM",
             {{"position_embedding_type", "learned"}, {"max_position_embeddings", 16}}));
  EXPECT_EQ(plan().config.family, &families::roformer);
  config_ = without(config_, {"model_type", "architectures"});
  config_["position_embedding_type"] = "absolute";
  rename_all([](const std::string& name) { return name.starts_with("roformer.") ? name.substr(9) : name; });
  EXPECT_EQ(plan().config.family, &families::bert);
}

TEST_F(ModelKindTest, LookalikesNeedAModelType) {
  make(shape("bert", "BertForMaskedLM"));
  rename_all([](const std::string& name) { return name.starts_with("bert.") ? "roberta." + name.substr(5) : name; });
  EXPECT_EQ(head(), Head::masked_lm);  // model_type says so
  config_ = without(config_, {"model_type", "architectures"});
  EXPECT_EQ(detail_of<DataError>([&] { plan(); }).key, "model_type");
}

TEST_F(ModelKindTest, HeadsWithoutAKnownArchitecture) {
  const Json none = Json::object(), two = {{"num_labels", 2}};
  const std::vector<std::tuple<std::string, std::string, Json>> cases = {
      {"bert", "BertModel", none},
      {"bert", "BertForMaskedLM", none},
      {"bert", "BertLMHeadModel", {{"is_decoder", true}}},
      {"bert", "BertForSequenceClassification", two},
      {"bert", "BertForSequenceClassification", {{"num_labels", 1}}},
      {"bert", "BertForTokenClassification", two},
      {"bert", "BertForQuestionAnswering", none},
      {"roformer", "RoFormerModel", none},
      {"roformer", "RoFormerForMaskedLM", none},
      {"roformer", "RoFormerForCausalLM", {{"is_decoder", true}}},
      {"roformer", "RoFormerForSequenceClassification", two},
      {"roformer", "RoFormerForTokenClassification", two},
      {"roformer", "RoFormerForQuestionAnswering", none},
      {"roformer", "RoFormerForMultipleChoice", none},
      {"llama", "LlamaModel", none},
      {"llama", "LlamaForCausalLM", none},
      {"llama", "LlamaForCausalLM", {{"tie_word_embeddings", true}}}};
  for (const auto& [type, architecture, more] : cases) {
    make(shape(type, architecture, more));
    const Head expected = find_architecture(architecture).head;
    ASSERT_EQ(head(), expected) << architecture;
    for (const Json& names : std::vector<Json>{nullptr, Json::array(), {"MyModelForMagic"}}) {
      SCOPED_TRACE(::testing::Message() << config_ << names);
      config_["architectures"] = names;
      const PlannedModel planned = plan();
      EXPECT_EQ(planned.config.head, expected);
      EXPECT_EQ(planned.notes.warnings.size(), names.is_array() && !names.empty() ? 1u : 0u);
      for (const std::string& warning : planned.notes.warnings) EXPECT_THAT(warning, HasSubstr("\"MyModelForMagic\""));
    }
  }
}

// A pooler beside it makes a classifier one of sequences, unless the name says otherwise; one row is a score.
TEST_F(ModelKindTest, TheNameOfAnUnknownArchitectureDecidesBetweenHeadsThatFit) {
  make(shape("bert", "BertForSequenceClassification", {{"num_labels", 3}}));
  config_["architectures"] = {"MyBertForTokenClassification"};
  EXPECT_EQ(head(), Head::token_classification);
  config_["architectures"] = {"MyBertForQuestionAnswering"};
  EXPECT_EQ(head(), Head::sequence_classification);
}

TEST_F(ModelKindTest, PreTrainingHeadsOfNextSentences) {
  make(shape("bert", "BertModel"));
  weights_["cls.seq_relationship.weight"] = filled({2, 8}, 1);
  config_["architectures"] = {"BertForNextSentencePrediction"};
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.head, Head::none);
  EXPECT_THAT(planned.notes.warnings, ElementsAre(AllOf(HasSubstr("\"BertForNextSentencePrediction\""),
                                                        HasSubstr("the tensors hold no head"))));
}

TEST_F(ModelKindTest, AHeadThatIsNamedButNotThere) {
  make(shape("bert", "BertForMaskedLM"));
  auto node = weights_.extract("cls.predictions.bias");
  node.key() = "cls.prediction.bias";
  weights_.insert(std::move(node));
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.head, Head::none);
  const auto both =
      AllOf(HasSubstr(R"(lacks "cls.predictions.bias" [11])"), HasSubstr(R"("cls.prediction.bias" [11])"));
  EXPECT_THAT(planned.notes.warnings, ElementsAre(both));
  const Model model(*backend_, planned.config, planned.plan, false);
  EXPECT_THAT([&] { model.mlm_head(); }, ThrowsMessage<DataError>(both));
}

TEST_F(ModelKindTest, AnotherHeadThanTheNamedOne) {
  make(shape("bert", "BertForTokenClassification", {{"num_labels", 3}}));
  config_["architectures"] = {"BertForMaskedLM"};
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.head, Head::token_classification);
  EXPECT_THAT(planned.notes.warnings, ElementsAre(AllOf(HasSubstr("\"BertForMaskedLM\""), HasSubstr("lacks"),
                                                        HasSubstr("token classification"))));
}

// A classifier of sequences without its pooler is not one of tokens, though that would fit.
TEST_F(ModelKindTest, ANamedHeadThatIsThereInPart) {
  make(shape("bert", "BertForTokenClassification", {{"num_labels", 3}}));
  config_["architectures"] = {"BertForSequenceClassification"};
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.head, Head::none);
  EXPECT_THAT(planned.config.missing_head, HasSubstr("lacks \"bert.pooler.dense.weight\" [8, 8]"));
}

TEST_F(ModelKindTest, AHeadBesideANamedTrunk) {
  make(shape("bert", "BertForMaskedLM"));
  config_["architectures"] = {"BertModel"};
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.head, Head::masked_lm);
  EXPECT_THAT(planned.notes.head_reason, HasSubstr("beyond architectures"));
  EXPECT_THAT(planned.notes.warnings, IsEmpty());
  // Tied output weights alone are no head of a trunk, unless the file has them.
  make(shape("llama", "LlamaModel", {{"tie_word_embeddings", true}}));
  EXPECT_EQ(head(), Head::none);
  weights_["lm_head.weight"] = filled({11, 8}, 1);
  EXPECT_EQ(head(), Head::causal_lm);
}

TEST_F(ModelKindTest, AHeadThatIsThereInPart) {
  make(shape("bert", "BertForMaskedLM", {{"tie_word_embeddings", false}}));
  weights_.erase("cls.predictions.decoder.weight");
  config_.erase("architectures");
  EXPECT_THAT(plan().config.missing_head, HasSubstr("lacks \"cls.predictions.decoder.weight\" [11, 8]"));
}

TEST_F(ModelKindTest, LabelsByTheRowsOfTheClassifier) {
  make(shape("bert", "BertForSequenceClassification", {{"num_labels", 3}}));
  config_.erase("num_labels");
  EXPECT_THAT(plan().config.labels, ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  config_["id2label"] = {{"0", "a"}, {"2", "c"}};
  EXPECT_THAT(plan().config.labels, ElementsAre("a", "LABEL_1", "c"));
  // A number that contradicts the tensor and names that cannot be read are an error of the head, no concern of a trunk.
  const Json original = config_;
  for (const auto& [labels, problem] : std::vector<std::pair<Json, const char*>>{
           {{{"0", "a"}, {"1", "b"}}, "has the shape [3, 8], expected [2, 8]"}, {{{"zero", "a"}}, "'id2label' is"}}) {
    SCOPED_TRACE(labels);
    config_ = original;
    config_["id2label"] = labels;
    const PlannedModel planned = plan();
    EXPECT_EQ(planned.config.head, Head::none);
    EXPECT_THAT(planned.config.missing_head, HasSubstr(problem));
    EXPECT_THAT(planned.notes.warnings, ElementsAre(HasSubstr(problem)));
  }
  config_ = original;
  config_["id2label"] = {{"0", "a"}, {"1", "b"}};
  config_.erase("architectures");
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.head, Head::none);
  EXPECT_THAT(planned.config.missing_head, HasSubstr("has the shape [3, 8], expected [2, 8]"));
}

TEST_F(ModelKindTest, ArchitecturesOfAnotherFamilyOrWithoutAList) {
  make(shape("bert", "BertForMaskedLM"));
  config_["architectures"] = {"RoFormerForCausalLM"};
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.config.family, &families::bert);
  EXPECT_EQ(planned.config.head, Head::masked_lm);
  EXPECT_THAT(planned.notes.warnings, ElementsAre(HasSubstr("a roformer, unlike model_type")));
  config_["architectures"] = "BertForMaskedLM";
  EXPECT_EQ(head(), Head::masked_lm);
  EXPECT_THAT(plan().notes.warnings, IsEmpty());
}

TEST_F(ModelKindTest, WrappersAreRemoved) {
  for (const auto& [config, family] : family_cases()) {
    make(config);
    const StateDict original = weights_;
    for (const std::string wrapper :
         {"module.", "_orig_mod.module.", "base_model.model.", "student.", "0.auto_model."}) {
      SCOPED_TRACE(wrapper + family->name);
      weights_ = original;
      rename_all([&](const std::string& name) { return wrapper + name; });
      const PlannedModel planned = plan();
      EXPECT_EQ(planned.notes.wrapper, wrapper);
      EXPECT_EQ(planned.config.is_language_model(), true);
      EXPECT_THAT(planned.notes.warnings, IsEmpty());
      const Model model(*backend_, planned.config, planned.plan, false);
      for (const auto& [name, tensor] : model.weights()) EXPECT_EQ(values_of(tensor), values_of(original.at(name)));
    }
  }
}

// "model." before a BERT's names is a wrapper, before a Llama's its own.
TEST_F(ModelKindTest, TheTrunksOwnPrefixIsNoWrapper) {
  make(shape("llama", "LlamaForCausalLM", {{"tie_word_embeddings", true}}));  // all names begin with "model."
  EXPECT_EQ(plan().notes.wrapper, "");
  EXPECT_EQ(head(), Head::causal_lm);
  rename_all([](const std::string& name) { return "model." + name; });
  EXPECT_EQ(plan().notes.wrapper, "model.");
  make(shape("bert", "BertForMaskedLM"));
  rename_all([](const std::string& name) { return "model." + name; });
  EXPECT_EQ(plan().notes.wrapper, "model.");
}

// A trunk under the name that another family's has, which model_type decides.
TEST_F(ModelKindTest, TheTrunksNameInAnotherFamily) {
  make(shape("roformer", "RoFormerForMaskedLM"));
  rename_all([](const std::string& name) { return name.starts_with("roformer.") ? "bert." + name.substr(9) : name; });
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.notes.wrapper, "bert.");
  EXPECT_EQ(planned.config.head, Head::masked_lm);
  EXPECT_THAT(planned.notes.warnings, IsEmpty());
}

TEST_F(ModelKindTest, WrappersOfLayers) {
  make(shape("llama", "LlamaForCausalLM"));
  for (const std::string wrapper : {"_orig_mod.", "_fsdp_wrapped_module._checkpoint_wrapped_module."}) {
    const StateDict original = weights_;
    rename_all([&](std::string name) {
      const size_t at = name.find("layers.0.");
      return at == name.npos ? name : name.insert(at + 9, wrapper);
    });
    EXPECT_THAT(plan().notes.warnings, IsEmpty());
    weights_["model.layers.0.mlp.up_proj.weight"] = original.at("model.layers.0.mlp.up_proj.weight");
    EXPECT_EQ(detail_of<DataError>([&] { plan(); }).tensor, "model.layers.0.mlp.up_proj.weight");
    weights_ = original;
  }
}

// Of a trunk within another model, whose own tensors have no such prefix.
TEST_F(ModelKindTest, AWrapperOfTheTrunkAlone) {
  make(shape("bert", "BertModel"));
  rename_all([](const std::string& name) { return "encoder.trunk." + name.substr(5); });
  weights_["projection.weight"] = filled({3, 8}, 1);
  const PlannedModel planned = plan();
  EXPECT_EQ(planned.notes.wrapper, "encoder.trunk.");
  EXPECT_THAT(planned.notes.warnings, ElementsAre(HasSubstr(R"(ignored: "projection.weight" [3, 8])")));
}

TEST_F(ModelKindTest, SeveralModelsInOneFile) {
  make(shape("bert", "BertModel"));
  const StateDict one = weights_;
  rename_all([](const std::string& name) { return "student." + name; });
  for (const auto& [name, tensor] : one) weights_["teacher." + name] = tensor;
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<DataError>(AllOf(HasSubstr("\"student.\""), HasSubstr("\"teacher.\""))));
  weights_ = one;
  rename_all([](const std::string& name) { return "module." + name; });
  weights_["bert.embeddings.LayerNorm.bias"] = filled({8}, 1);
  EXPECT_EQ(detail_of<DataError>([&] { plan(); }).tensor, "bert.embeddings.LayerNorm.bias");
}

TEST_F(ModelKindTest, TensorsThatAreNotOfTheModel) {
  make(shape("bert", "BertForMaskedLM"));
  const StateDict original = weights_;
  weights_["linear.weight"] = filled({4, 8}, 1);
  weights_["bert.embeddings.position_ids"] = Tensor::allocate({1, 512}, DType::int64);
  EXPECT_THAT(plan().notes.warnings, ElementsAre(AllOf(HasSubstr("model.safetensors: not part of the model"),
                                                       HasSubstr(R"(ignored: "linear.weight" [4, 8])"))));
  for (int i = 0; i < 12; ++i) weights_[fmt::format("linear.{}", i)] = filled({1}, 1);
  EXPECT_THAT(plan().notes.warnings, ElementsAre(HasSubstr(" and 3 more")));
  // But a layer more than config.json has would be missing from the result.
  weights_ = original;
  for (const auto& [name, tensor] : original) {
    if (const size_t at = name.find("layer.0."); at != name.npos)
      weights_[std::string(name).replace(at, 7, "layer.1")] = tensor;
  }
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<DataError>(HasSubstr(
                                   "extra: \"bert.encoder.layer.1.attention.output.LayerNorm.bias\" [8], which "
                                   "config.json excludes")));
}

TEST_F(ModelKindTest, BiasesThatTheConfigExcludesAreAnError) {
  make(shape("llama", "LlamaForCausalLM"));
  weights_["model.layers.0.self_attn.q_proj.bias"] = filled({8}, 1);
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<DataError>(HasSubstr("extra: \"model.layers.0.self_attn.q_proj.bias\"")));
}

TEST_F(ModelKindTest, OutputWeightsThatDifferAreNotTied) {
  for (const auto& [config, family] : family_cases()) {
    SCOPED_TRACE(family->name);
    Json tied = config;
    tied["tie_word_embeddings"] = true;
    make(tied);
    const std::string words = name_in_files(*family, "embeddings.words.weight");
    const std::string output = name_in_files(*family, "head.output.weight");
    weights_[output] = weights_.at(words);
    EXPECT_TRUE(plan().config.tied);
    EXPECT_THAT(plan().notes.warnings, IsEmpty());
    const Tensor other = Tensor::allocate(weights_.at(words).shape(), DType::float32);
    copy_tensor(weights_.at(words), other);
    write(other, 10, 3, 0.25f);
    weights_[output] = other;
    const PlannedModel planned = plan();
    EXPECT_FALSE(planned.config.tied);
    EXPECT_THAT(planned.notes.warnings, ElementsAre(AllOf(HasSubstr(output), HasSubstr(words))));
    const Model model(*backend_, planned.config, planned.plan, false);
    for (const auto& [name, tensor] : model.weights()) {
      if (name == output) {
        EXPECT_EQ(values_of(tensor), values_of(other));
      }
    }
  }
}

// As in transformers, which then has two biases and adds the decoder's.
TEST_F(ModelKindTest, AnOutputBiasThatDiffersIsUsed) {
  make(shape("bert", "BertForMaskedLM"));
  weights_["cls.predictions.decoder.bias"] = filled({11}, 3);
  const PlannedModel planned = plan();
  EXPECT_THAT(planned.notes.warnings,
              ElementsAre(HasSubstr(R"("cls.predictions.decoder.bias" differs from "cls.predictions.bias")")));
  const Model model(*backend_, planned.config, planned.plan, false);
  for (const auto& [name, tensor] : model.weights()) {
    if (name != "cls.predictions.bias") continue;
    EXPECT_THAT(values_of(tensor), ::testing::Each(3));
  }
  weights_["cls.predictions.bias"] = weights_.at("cls.predictions.decoder.bias");
  EXPECT_THAT(plan().notes.warnings, IsEmpty());
}

TEST_F(ModelKindTest, AMissingTensorIsShownWithTheNearest) {
  make(shape("bert", "BertForMaskedLM"));
  auto node = weights_.extract("bert.encoder.layer.0.attention.self.query.weight");
  node.key() = "bert.encoder.layer.0.attention.self.q.weight";
  weights_.insert(std::move(node));
  EXPECT_THAT([&] { plan(); },
              ThrowsMessage<DataError>(
                  AllOf(HasSubstr(R"(missing: "bert.encoder.layer.0.attention.self.query.weight" [8, 8])"),
                        HasSubstr(R"((nearest in the file: "bert.encoder.layer.0.attention.self.q.weight" [8, 8]))"))));
}

TEST_F(ModelKindTest, SizesThatContradictTensors) {
  make(shape("bert", "BertForMaskedLM"));
  config_["vocab_size"] = 12;
  EXPECT_THAT([&] { plan(); }, ThrowsMessage<DataError>(HasSubstr("has the shape [11, 8], expected [12, 8]")));
}

}  // namespace
}  // namespace roformer::test
