#include "tasks/vectors/vector_objective.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tasks/vectors/contrastive_objective.h"
#include "tasks/vectors/sim_objective.h"
#include "tests/tasks/vectors/vector_trial.h"

namespace roformer::test {
namespace {

using testing::ElementsAre;

const std::vector<std::vector<std::vector<int32_t>>> kTriples = {
    {{5, 6}, {7, 8, 9}, {10}}, {{11, 12, 13}, {14}}, {{15}, {16, 17}}, {{18, 19}, {20, 21, 22}, {23, 5}}};

class ContrastiveTraining : public VectorTrial {
 protected:
  ContrastiveObjective objective(const Model& model, const VectorInputs& inputs, int64_t batch_tokens,
                                 const ContrastiveOptions& contrast = {.scale = 5},
                                 const NegativesOptions& negatives = {}, int64_t batch_size = 4) {
    return {model,   inputs, contrast, {{}}, negatives, {.batch_size = batch_size, .batch_tokens = batch_tokens},
            nullptr, {1, 0}};
  }
};

TEST_F(ContrastiveTraining, GradientsAreThoseOfCentralDifferences) {
  const Model model = VectorTrial::model(config());
  const VectorInputs inputs = VectorTrial::inputs(kTriples);
  auto objective = ContrastiveTraining::objective(model, inputs, 9, {.scale = 5, .symmetric = true});
  objective.prepare(1);
  EXPECT_GT(objective.micro_batches(), 3);
  expect_gradients(model, [&] { return pass(model, objective); });
}

// Dropout is drawn by micro-batch: the same numbers without a tape as with one.
TEST_F(ContrastiveTraining, GradientsWithDropoutAreThoseOfCentralDifferences) {
  const Model model = VectorTrial::model(config(0.2));
  const VectorInputs inputs = VectorTrial::inputs(kTriples);
  auto objective = ContrastiveTraining::objective(model, inputs, 9);
  objective.prepare(1);
  expect_gradients(model, [&] { return pass(model, objective); });
}

TEST_F(ContrastiveTraining, MicroBatchesChangeNothingButRounding) {
  const Model model = VectorTrial::model(config());
  const VectorInputs inputs = VectorTrial::inputs(kTriples);
  auto whole = objective(model, inputs, 1000);
  whole.prepare(1);
  ASSERT_EQ(whole.micro_batches(), 1);
  const double loss = pass(model, whole);
  const std::vector<double> expected = gradients(model);
  for (const int64_t tokens : {1, 9, 20}) {
    auto parts = objective(model, inputs, tokens);
    parts.prepare(1);
    ASSERT_GT(parts.micro_batches(), 1);
    EXPECT_EQ(parts.tokens(), whole.tokens());
    EXPECT_EQ(pass(model, parts), loss);  // to the bit
    const std::vector<double> found = gradients(model);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-13);
  }
}

TEST_F(ContrastiveTraining, PositivesOfTheSameAnchorAndTheAnchorAreNoNegatives) {
  // 0 and 1 have the same anchor, 2 the same positive as 0, and 3 has the anchor of 0 as its positive.
  const VectorInputs texts = inputs({{{5}, {6}}, {{5}, {7}}, {{8}, {6}}, {{9}, {5}, {7}}});
  ContrastiveBatch batch;
  for (const std::vector<int32_t>& example : texts.examples) batch.add_pair(example[0], example[1]);
  batch.add_negative(texts.examples[3][2]);
  const ContrastiveRows rows = batch.rows(find_partners(texts));
  EXPECT_THAT(rows.queries, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(rows.candidates, ElementsAre(1, 3, 5, 7, 8));
  // The anchor 5 belongs with 6, 7 and 9; that is candidates 0, 1 and 2, the text 5 itself (3), and the negative 7.
  EXPECT_THAT(rows.left_out,
              ElementsAre(ElementsAre(1, 2, 3, 4), ElementsAre(0, 2, 3, 4), ElementsAre(0), ElementsAre()));
}

TEST_F(ContrastiveTraining, HardNegativesAreTheSameAfterResuming) {
  use_float32();
  const Model model = VectorTrial::model(config());
  const VectorInputs inputs = VectorTrial::inputs(kTriples);
  const NegativesOptions negatives{.count = 2, .each_epoch = false, .embed = {}, .stop_token = {}};
  auto straight = objective(model, inputs, 1000, {}, negatives, 2);
  straight.prepare(1);
  const Json cursor = straight.cursor();
  EXPECT_EQ(cursor["negatives"].size(), 4u);
  EXPECT_EQ(cursor["negatives"][0].size(), 2u);
  // The weights have changed since.
  for (const NamedParameter& named : model.parameters()) backend_->fill(named.parameter.value, 0.3);
  auto resumed = objective(model, inputs, 1000, {}, negatives, 2);
  resumed.resume(JsonObject(cursor, "state.json"));
  straight.prepare(2);
  resumed.prepare(2);
  EXPECT_EQ(resumed.cursor(), cursor);
  EXPECT_EQ(resumed.tokens(), straight.tokens());
  Json wrong = cursor;
  wrong["negatives"][0][0] = 99;
  EXPECT_THROW(resumed.resume(JsonObject(wrong, "state.json")), DataError);
}

TEST_F(ContrastiveTraining, HardNegativesAreFoundAnewWhereAsked) {
  use_float32();
  const Model model = VectorTrial::model(config());
  const VectorInputs inputs = VectorTrial::inputs(kTriples);
  auto objective = ContrastiveTraining::objective(model, inputs, 1000, {},
                                                  {.count = 1, .each_epoch = true, .embed = {}, .stop_token = {}}, 2);
  objective.prepare(1);
  EXPECT_EQ(objective.cursor()["negatives_epoch"], 0);
  objective.prepare(2);
  EXPECT_EQ(objective.cursor()["negatives_epoch"], 0);
  objective.prepare(3);
  EXPECT_EQ(objective.cursor()["negatives_epoch"], 1);
}

class PairTraining : public VectorTrial {};

TEST_F(PairTraining, GradientsAreThoseOfCentralDifferences) {
  const Model model = VectorTrial::model(config());
  const VectorInputs inputs = VectorTrial::inputs({{{5, 6}, {7}}, {{8}, {9, 10}}, {{5, 6}, {11}}});
  for (const bool by_order : {false, true}) {
    for (const TextPooling pooling : {TextPooling::mean, TextPooling::cls, TextPooling::max, TextPooling::lasttoken}) {
      PairObjective objective(model, inputs, {1, 5, 2},
                              {.by_order = by_order, .scale = 5, .low = 0, .high = 5, .sizes = {{8, 1}, {3, 0.5}}},
                              {.pooling = pooling, .batch_size = 3, .batch_tokens = 10}, nullptr, {1, 0});
      objective.prepare(1);
      EXPECT_GT(objective.micro_batches(), 1);
      expect_gradients(model, [&] { return pass(model, objective); });
    }
  }
}

TEST_F(PairTraining, EachEpochHasAllPairs) {
  const Model model = VectorTrial::model(config());
  const VectorInputs inputs = VectorTrial::inputs({{{5}, {6}}, {{7}, {8}}, {{9}, {10}}});
  PairObjective objective(model, inputs, {1, 2, 3}, {}, {.batch_size = 2}, nullptr, {1, 0});
  objective.prepare(1);
  EXPECT_EQ(objective.labels(), 2);
  objective.prepare(2);
  EXPECT_EQ(objective.labels(), 1);
  objective.prepare(3);
  EXPECT_EQ(objective.labels(), 2);
}

class SimTraining : public VectorTrial {
 protected:
  static ModelConfig sim_config() {
    ModelConfig result = config();
    result.head = Head::masked_lm;
    result.pooler = true;
    result.pooler_activation = Activation::none;
    complete(result, "");
    return result;
  }
  static SimOptions options() {
    SimOptions sim{.scale = 5, .mask_id = kMask};
    sim.special.assign(24, 0);
    for (const int32_t id : {0, 1, kCls, kSep, kMask}) sim.special[static_cast<size_t>(id)] = 1;
    return sim;
  }
};

TEST_F(SimTraining, GradientsAreThoseOfCentralDifferences) {
  const Model model = VectorTrial::model(sim_config());
  const VectorInputs inputs = VectorTrial::inputs({{{5, 6}, {7, 8, 9}}, {{11, 12, 13}, {14}}});
  for (const int64_t tokens : {16, 1000}) {
    SimObjective objective(model, inputs, options(),
                           {.pooling = TextPooling::pooler, .batch_size = 2, .batch_tokens = tokens}, nullptr, {1, 0});
    objective.prepare(1);
    EXPECT_EQ(objective.micro_batches() > 1, tokens == 16);
    expect_gradients(model, [&] { return pass(model, objective); });
  }
}

// With one pair a text has no negatives but itself, which is left out: only the cross-entropy of the targets remains.
TEST_F(SimTraining, TheLossIsThatOfTheTargetsTokens) {
  const Model model = VectorTrial::model(sim_config());
  const VectorInputs inputs = VectorTrial::inputs({{{5, 6}, {7, 8, 9}}});
  SimOptions sim = options();
  sim.masked_sources = 0;
  SimObjective objective(model, inputs, sim, {.pooling = TextPooling::pooler, .batch_size = 1}, nullptr, {1, 0});
  objective.prepare(1);
  const double loss = pass(model, objective);
  double expected = 0;
  for (const std::vector<int32_t>& ids :
       {std::vector<int32_t>{kCls, 5, 6, kSep, 7, 8, 9, kSep}, {kCls, 7, 8, 9, kSep, 5, 6, kSep}}) {
    const size_t source = ids[1] == 5 ? 4 : 5;
    for (size_t length = source; length < ids.size(); ++length) {
      // Token by token: the next token's probability from the tokens before it alone.
      Batch batch;
      std::vector<int32_t> segments(length, 1);
      std::fill_n(segments.begin(), source, 0);
      batch.append(std::span(ids).first(length), segments);
      const Context context{.backend = *backend_};
      const Value states = model.trunk().forward(context, batch, {.attention_mask = AttentionMask::prefix});
      const Tensor logits = model.logits(context, states, batch).data;
      const double* last = logits.row<double>(static_cast<int64_t>(length) - 1);
      double sum = 0;
      for (int64_t v = 0; v < logits.columns(); ++v) sum += std::exp(last[v]);
      expected += std::log(sum) - last[ids[length]];
    }
  }
  EXPECT_NEAR(loss, expected / 7, 1e-10);  // tokens of both targets, [SEP] included
}

TEST_F(SimTraining, MasksHalfOfTheSources) {
  const Model model = VectorTrial::model(sim_config());
  const VectorInputs inputs = VectorTrial::inputs({{{5, 6, 7, 8}, {9, 10, 11, 12}}});
  SimOptions all = options();
  all.masked_sources = all.masked_tokens = 1;
  const auto loss_of = [&](const SimOptions& sim, int64_t step) {
    SimObjective objective(model, inputs, sim, {.pooling = TextPooling::pooler, .batch_size = 1}, nullptr, {1, 0});
    objective.prepare(step);
    return pass(model, objective);
  };
  SimOptions none = options();
  none.masked_sources = 0;
  EXPECT_NE(loss_of(all, 1), loss_of(none, 1));
  EXPECT_EQ(loss_of(none, 1), loss_of(none, 2));
  EXPECT_EQ(loss_of(options(), 3), loss_of(options(), 3));
}

}  // namespace
}  // namespace roformer::test
