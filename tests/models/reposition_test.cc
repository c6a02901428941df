// A trained model with other positions: which weights stay, under which names, and what is said of the others.
#include "models/reposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/model.h"
#include "position/encoding.h"
#include "tests/models/family_fixture.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

const std::string kBert = ROFORMER_SOURCE_DIR "/tests/fixtures/families/bert_masked_lm";

class RepositionTest : public ::testing::Test {
 protected:
  // The config of `found` with this encoding, as pretrain makes it.
  static ModelConfig with_position(const FoundModel& found, const std::string& name, PositionOptions options = {}) {
    ShapeOptions shape;
    shape.position = name;
    shape.position_options = options;
    ModelConfig config = shape.apply(found.config);
    complete(config, "");
    return config;
  }
  static const AvailableTensor* find(const FoundModel& model, const std::string& name) {
    const auto found = std::ranges::find(model.tensors, name, &AvailableTensor::name);
    return found == model.tensors.end() ? nullptr : &*found;
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
};

// A post-norm BERT that rotates its queries and keys is a RoFormer.
TEST_F(RepositionTest, ABertBecomesARoFormer) {
  const FoundModel bert = find_model(kBert);
  FoundModel model = find_model(kBert);
  const ModelConfig config = with_position(model, "rotary");
  const Repositioning said = reposition(model, config);
  EXPECT_FALSE(said.anew);
  EXPECT_THAT(said.notices,
              ElementsAre(AllOf(HasSubstr("learned positions replaced by rotary"),
                                HasSubstr("dropped: bert.embeddings.position_embeddings.weight (192 parameters)"),
                                HasSubstr("start anew: nothing"))));
  EXPECT_EQ(write_config(model.config)["model_type"], "roformer");
  EXPECT_EQ(find(model, "roformer.embeddings.position_embeddings.weight"), nullptr);
  const Model loaded(*backend_, config, LoadingPlan(config, model.tensors, model.source), false);
  size_t compared = 0;
  for (const AvailableTensor& tensor : bert.tensors) {
    std::string name = tensor.name;
    if (name.starts_with("bert.")) name.replace(0, 5, "roformer.");
    for (const NamedParameter& named : loaded.parameters()) {
      if (named.name != name) continue;
      EXPECT_EQ(values_of(named.parameter.value), values_of(tensor.read())) << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, loaded.parameters().size());
}

TEST_F(RepositionTest, ToEveryEncodingAndOn) {
  for (const std::string_view first : position_names()) {
    if (first == "rotary-axial") continue;  // needs a head size of 4
    FoundModel model = find_model(kBert);
    const ModelConfig config = with_position(model, std::string(first));
    const Repositioning said = reposition(model, config);
    LoadingPlan(config, model.tensors, model.source,
                said.anew ? LoadingPlan::Fit::trunk_anew : LoadingPlan::Fit::trunk);
    Model trained(*backend_, config, true);
    StateDict weights;
    for (const auto& [name, tensor] : trained.weights()) weights.emplace(name, tensor);
    for (const char* second : {"rotary", "t5", "learned"}) {
      SCOPED_TRACE(std::string(first) + " to " + second);
      FoundModel next{.config = config, .tensors = available(weights), .source = "trained", .notes = {}};
      const ModelConfig to = with_position(next, second);
      const Repositioning again = reposition(next, to);
      EXPECT_EQ(again.notices.empty(), first == second);
      EXPECT_EQ(again.anew, first != second && !std::string(second).starts_with("rotary") &&
                                !std::string(first).starts_with(second));
      LoadingPlan(to, next.tensors, "trained", again.anew ? LoadingPlan::Fit::trunk_anew : LoadingPlan::Fit::trunk);
    }
  }
}

TEST_F(RepositionTest, ALongerTableRepeatsItsRows) {
  FoundModel model = find_model(kBert);
  const std::vector<double> rows = values_of(find(model, "bert.embeddings.position_embeddings.weight")->read());
  ModelConfig config = model.config;
  config.max_positions = 50;
  complete(config, "");
  const Repositioning said = reposition(model, config);
  EXPECT_FALSE(said.anew);
  EXPECT_THAT(said.notices,
              ElementsAre(HasSubstr("learned positions have 50 rows instead of 24; rows from 24 on repeat "
                                    "those from 0 on")));
  const AvailableTensor* table = find(model, "bert.embeddings.position_embeddings.weight");
  EXPECT_EQ(table->shape, (Shape{50, 8}));
  const std::vector<double> longer = values_of(table->read());
  ASSERT_EQ(longer.size(), 400u);
  for (size_t i = 0; i < longer.size(); ++i) EXPECT_EQ(longer[i], rows[i % rows.size()]) << i;

  FoundModel shorter = find_model(kBert);
  config.max_positions = 10;
  complete(config, "");
  EXPECT_THAT(reposition(shorter, config).notices, ElementsAre(HasSubstr("have 10 rows instead of 24")));
  EXPECT_EQ(values_of(find(shorter, "bert.embeddings.position_embeddings.weight")->read()),
            std::vector<double>(rows.begin(), rows.begin() + 80));
}

TEST_F(RepositionTest, ATableIsReadHierarchically) {
  FoundModel model = find_model(kBert);
  reposition(model, with_position(model, "learned-hierarchical", {.max_positions = 24}));
  EXPECT_NE(find(model, "roformer.embeddings.position_embeddings.weight"), nullptr);
  ModelConfig config = model.config;
  config.max_positions = 30;
  complete(config, "");
  EXPECT_THAT([&] { reposition(model, config); },
              ThrowsMessage<UsageError>(HasSubstr("max_positions 30: the rows of learned-hierarchical positions")));
}

TEST_F(RepositionTest, OtherSettingsOfTheSameEncoding) {
  FoundModel model = find_model(kBert);
  reposition(model, with_position(model, "rotary"));
  ModelConfig config = model.config;
  std::get<RotaryPosition>(config.position).rotary.base = 500;
  EXPECT_THAT(reposition(model, config).notices, ElementsAre(HasSubstr("rotary positions have other settings")));
  EXPECT_EQ(write_config(model.config)["model_type"], "roformer_variant");
  EXPECT_THAT(reposition(model, config).notices, IsEmpty());
}

// What its own encoding needs does not start anew.
TEST_F(RepositionTest, ATableThatIsMissingIsAnError) {
  FoundModel model = find_model(kBert);
  std::erase_if(model.tensors,
                [](const AvailableTensor& one) { return one.name.ends_with("position_embeddings.weight"); });
  ModelConfig config = model.config;
  config.max_positions = 50;
  complete(config, "");
  EXPECT_FALSE(reposition(model, config).anew);
  EXPECT_THAT([&] { LoadingPlan(config, model.tensors, model.source, LoadingPlan::Fit::trunk); },
              ThrowsMessage<DataError>(HasSubstr("missing: \"bert.embeddings.position_embeddings.weight\"")));
}

}  // namespace
}  // namespace roformer::test
