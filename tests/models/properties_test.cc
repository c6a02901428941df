// Properties of all models: packing, accumulation, threads, and positions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/model.h"
#include "tests/base/error_detail.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kPropertyTolerance = 2e-5;  // of float32

std::vector<std::string> all_positions() { return {position_names().begin(), position_names().end()}; }

class ModelPropertiesTest : public ::testing::TestWithParam<const char*> {
 protected:
  Model random_model(const ModelConfig& config, bool trainable = false) {
    Model model(*backend_, config, trainable);
    randomize(model, 5);
    return model;
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_backend(GetParam(), pool_);
};

TEST_P(ModelPropertiesTest, PackedEqualsOneByOne) {
  for (const std::string& position : all_positions()) {
    SCOPED_TRACE(position);
    const Model model = random_model(tiny_config(position));
    const LabeledBatch data = random_batch(model.config(), {7, 1, 40, 2, 13}, 6);
    const Tensor packed = hidden_states(model, data.batch);
    for (int64_t s = 0; s < data.batch.sequences(); ++s) {
      const Tensor alone = hidden_states(model, sequence_of(data, s).batch);
      const int32_t begin = data.batch.offsets[static_cast<size_t>(s)];
      EXPECT_LE(relative_difference(values_of(packed.row_range(begin, alone.rows())), values_of(alone)),
                kPropertyTolerance);
    }
  }
}

TEST_P(ModelPropertiesTest, AccumulatedMicroBatchesEqualOneBatch) {
  const Model model = random_model(tiny_config(), true);
  const LabeledBatch data = random_batch(model.config(), {9, 4, 17, 6}, 8);
  const double loss = train_pass(model, data);
  const std::vector<Result> whole = gradients(model);
  clear_gradients(model);
  double sum = 0;
  for (int64_t s = 0; s < data.batch.sequences(); ++s) {
    const LabeledBatch part = sequence_of(data, s);
    Tape tape;
    const Context context{.backend = *backend_, .tape = &tape};
    const double scale = 1.0 / static_cast<double>(data.rows.size());
    sum += masked_lm_loss(model, context, part, scale).sum * scale;
    tape.backward();
  }
  EXPECT_LE(relative_difference({sum}, {loss}), kPropertyTolerance);
  const std::vector<Result> parts = gradients(model);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_LE(relative_difference(parts[i].values, whole[i].values), kPropertyTolerance) << whole[i].name;
  }
}

// Shifting all positions changes nothing for relative encodings; added positions and rotated values are absolute.
TEST_P(ModelPropertiesTest, ShiftedPositions) {
  const auto shift_changes = [&](const ModelConfig& config) {
    const Model model = random_model(config);
    Batch batch = random_batch(config, {7, 1, 13}, 6).batch;
    const std::vector<double> at_zero = values_of(hidden_states(model, batch));
    for (int32_t& position : batch.positions) position += 20;
    return relative_difference(values_of(hidden_states(model, batch)), at_zero);
  };
  for (const std::string& position : all_positions()) {
    SCOPED_TRACE(position);
    const double change = shift_changes(tiny_config(position));
    // A grid of 16 columns shifted by 20 has other rows and columns.
    const bool absolute = position.starts_with("sinusoidal") || position.starts_with("learned") || position == "tupe" ||
                          position == "rotary-axial";
    if (absolute) {
      EXPECT_GE(change, 0.02);
    } else {
      EXPECT_LE(change, position == "none" ? 0 : kPropertyTolerance);
    }
  }
  ModelConfig rotated_values = tiny_config();
  std::get<RotaryPosition>(rotated_values.position).rotate_values = true;
  EXPECT_GE(shift_changes(rotated_values), 0.02);
}

TEST_P(ModelPropertiesTest, FarPositionsAreRotatedToo) {
  const Model model = random_model(tiny_config());
  Batch batch = random_batch(model.config(), {12}, 6).batch;
  const std::vector<double> at_zero = values_of(hidden_states(model, batch));
  for (int32_t& position : batch.positions) position += 500'000'000;
  EXPECT_LE(relative_difference(values_of(hidden_states(model, batch)), at_zero), kPropertyTolerance);
}

// Without positions, token order has no effect; with any encoding it has.
TEST_P(ModelPropertiesTest, OrderMattersOnlyWithPositions) {
  for (const std::string& position : all_positions()) {
    SCOPED_TRACE(position);
    const Model model = random_model(tiny_config(position));
    Batch batch = random_batch(model.config(), {11}, 6).batch;
    const std::vector<double> forward = values_of(hidden_states(model, batch));
    // Not a reversal, under which symmetric distance biases are invariant.
    std::swap(batch.ids[2], batch.ids[9]);
    std::swap(batch.segments[2], batch.segments[9]);
    const Tensor states = hidden_states(model, batch);
    std::vector<double> turned;
    for (int64_t i = 0; i < states.rows(); ++i) {
      const std::vector<double> row = values_of(states.row_range(i == 2 ? 9 : i == 9 ? 2 : i, 1));
      turned.insert(turned.end(), row.begin(), row.end());
    }
    const double difference = relative_difference(turned, forward);
    if (position == "none") {
      EXPECT_LE(difference, kPropertyTolerance);
    } else {
      EXPECT_GE(difference, 0.02);
    }
  }
}

// So that comparisons of encodings isolate their effect.
TEST_P(ModelPropertiesTest, TheEncodingChangesNoOtherWeightAtTheStart) {
  std::map<std::string, std::vector<double>> expected;
  Model none(*backend_, tiny_config("none"), true);
  none.initialize({7, 0});
  for (const NamedParameter& named : none.parameters()) expected[named.name] = values_of(named.parameter.value);
  for (const std::string& position : all_positions()) {
    SCOPED_TRACE(position);
    Model model(*backend_, tiny_config(position), true);
    model.initialize({7, 0});
    size_t found = 0;
    for (const NamedParameter& named : model.parameters()) {
      if (!expected.contains(named.name)) continue;
      EXPECT_EQ(values_of(named.parameter.value), expected.at(named.name)) << named.name;
      ++found;
    }
    EXPECT_EQ(found, expected.size());
  }
}

TEST_P(ModelPropertiesTest, SegmentsMatter) {
  const Model model = random_model(tiny_config());
  Batch batch = random_batch(model.config(), {9}, 6).batch;
  const std::vector<double> before = values_of(hidden_states(model, batch));
  batch.segments[4] = (batch.segments[4] + 1) % 3;
  EXPECT_GE(relative_difference(values_of(hidden_states(model, batch)), before), 0.02);
}

TEST_P(ModelPropertiesTest, DropoutFollowsTheStreamAndOnlyInTraining) {
  const Model model = random_model(tiny_config());
  const Batch batch = random_batch(model.config(), {9, 3}, 6).batch;
  const auto run = [&](RandomStream random, bool training) {
    const Context context{.backend = *backend_, .tape = nullptr, .random = random, .training = training};
    return values_of(model.trunk().forward(context, batch).data);
  };
  EXPECT_EQ(run({1, 2}, true), run({1, 2}, true));
  EXPECT_NE(run({1, 2}, true), run({1, 3}, true));
  EXPECT_NE(run({1, 2}, true), run({1, 2}, false));
  EXPECT_EQ(run({1, 2}, false), run({1, 3}, false));
}

// Every dropout of the trunk has its own number: 0 in the embeddings, then three per layer.
TEST_P(ModelPropertiesTest, AnEncoderIsItsLayers) {
  ModelConfig config = tiny_config("learned");
  config.hidden_dropout = 0.3;
  config.attention_dropout = 0.4;
  const Model model = random_model(config);
  NewParameters source(*backend_, false);
  const Embeddings embeddings(Scope{source, "embeddings"}, {.vocabulary = config.vocabulary,
                                                            .segments = config.segments,
                                                            .width = config.embedding,
                                                            .hidden = config.hidden,
                                                            .learned_positions = config.max_positions,
                                                            .dropout = 0.3,
                                                            .norm = config.norm_config()});
  const TransformerLayerConfig shape{.attention = {.hidden = config.hidden,
                                                   .heads = config.heads,
                                                   .hidden_dropout = 0.3,
                                                   .attention_dropout = 0.4,
                                                   .norm = config.norm_config()},
                                     .intermediate = config.intermediate,
                                     .activation = config.activation};
  const TransformerLayer first(Scope{source, "layers.0"}, shape), second(Scope{source, "layers.1"}, shape);
  for (const auto& [spec, to] : source.table()) {
    const auto found =
        std::ranges::find(model.table(), spec.name, [](const TableEntry& entry) { return entry.spec.name; });
    ASSERT_NE(found, model.table().end()) << spec.name;
    backend_->copy(found->parameter.value, to.value);
  }
  const Batch batch = random_batch(config, {9, 3}, 6).batch;
  const Context context{.backend = *backend_, .tape = nullptr, .random = {1, 2}, .training = true};
  const Value embedded = embeddings.forward(context, batch, nullptr, 0);
  const AttentionInputs inputs{batch.offsets, batch.offsets};
  const Value expected = second.forward(context, first.forward(context, embedded, inputs, 1), inputs, 4);
  EXPECT_EQ(values_of(model.trunk().forward(context, batch).data), values_of(expected.data));
}

TEST_P(ModelPropertiesTest, EmptyBatchesAndSequences) {
  const Model model = random_model(tiny_config(), true);
  EXPECT_EQ(hidden_states(model, Batch()).shape(), (Shape{0, 8}));
  const std::vector<int32_t> ids = {3, 4, 5};
  Batch full, with_gaps;
  full.append(ids);
  with_gaps.append({});
  with_gaps.append(ids);
  with_gaps.append({});
  EXPECT_EQ(values_of(hidden_states(model, with_gaps)), values_of(hidden_states(model, full)));

  Tape tape;
  const LabeledBatch no_label{full, {}, {}};
  EXPECT_EQ(masked_lm_loss(model, {.backend = *backend_, .tape = &tape}, no_label, 1).sum, 0);
  tape.backward();
  for (const Result& gradient : gradients(model)) {
    EXPECT_EQ(gradient.values, std::vector<double>(gradient.values.size(), 0.0)) << gradient.name;
  }
}

TEST_P(ModelPropertiesTest, RefusesWhatIsOutOfRange) {
  const auto run = [&](const char* position, auto change) {
    const Model model = random_model(tiny_config(position));
    Batch batch = random_batch(model.config(), {4}, 6).batch;
    change(batch);
    hidden_states(model, batch);
  };
  EXPECT_THAT([&] { run("rotary", [](Batch& batch) { batch.ids[2] = 29; }); },
              ThrowsMessage<DataError>(HasSubstr("token id 29 at token 2 is outside 0..28")));
  EXPECT_THAT([&] { run("rotary", [](Batch& batch) { batch.segments[1] = 3; }); },
              ThrowsMessage<DataError>(HasSubstr("segment id 3 at token 1 is outside 0..2")));
  const auto beyond = [&] { run("learned", [](Batch& batch) { batch.positions[3] = 40; }); };
  EXPECT_THAT(beyond, ThrowsMessage<DataError>(HasSubstr("position 40 is beyond the model's 40 learned positions")));
  EXPECT_EQ(detail_of<DataError>(beyond).key, "max_position_embeddings");
  EXPECT_THROW(run("rotary", [](Batch& batch) { batch.positions[3] = -1; }), DataError);
  EXPECT_THROW(run("rotary", [](Batch& batch) { batch.positions[3] = INT32_MAX; }), DataError);
  EXPECT_THROW(run("sinusoidal", [](Batch& batch) { batch.positions[0] = -1; }), DataError);
}

INSTANTIATE_TEST_SUITE_P(, ModelPropertiesTest, ::testing::Values("cpu", "reference"),
                         [](const auto& param) { return std::string(param.param); });

// Large enough that every kernel has several tasks; with dropout.
TEST(ThreadsTest, AnyNumberGivesTheSameBits) {
  ModelConfig config = tiny_config();
  config.vocabulary = 700;
  config.embedding = 96;
  config.hidden = 128;
  config.heads = 4;
  config.intermediate = 320;
  config.max_positions = 400;
  std::get<RotaryPosition>(config.position).rotary.dim = 0;
  complete(config, "");
  const LabeledBatch data = random_batch(config, {300, 1, 170, 33, 64}, 6);
  ASSERT_GE(data.rows.size(), 64u);
  const RandomStream random{4, 9};
  std::vector<Result> expected;
  for (const int threads : {1, 2, 3, 64}) {
    SCOPED_TRACE(threads);
    ThreadPool pool(threads, std::min(threads, 3));
    const auto backend = make_cpu_backend(pool);
    Model model(*backend, config, true);
    model.initialize({17, 0});
    std::vector<Result> actual;
    actual.push_back({"loss", {train_pass(model, data, &random)}});
    for (Result& gradient : gradients(model)) actual.push_back(std::move(gradient));
    actual.push_back({"hidden states", values_of(hidden_states(model, data.batch))});
    for (const auto& [name, tensor] : model.weights()) actual.push_back({name, values_of(tensor)});
    if (threads == 1) expected = actual;
    expect_same_bits(actual, expected);
  }
}

}  // namespace
}  // namespace roformer::test
