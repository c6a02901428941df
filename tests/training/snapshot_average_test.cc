#include "training/snapshot_average.h"

#include <utility>

#include "tests/training/trainer_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SnapshotAverageTest : public TrainerTest {};

// Of a model whose weights change by weight decay alone.
TEST_F(SnapshotAverageTest, TheMeanOfTheLastSnapshotsIsTriedAtTheEnd) {
  const auto weight = [](const Model& model) {
    return static_cast<double>(
        values(parameter(model, "roformer.encoder.layer.0.output.dense.weight").parameter.value)[0]);
  };
  prepare_model = [](Model& model) { model.initialize({5, 0}); };
  best = BestOptions{.metric = "score", .higher = true};
  average = 3;
  ScriptedObjective script;
  std::vector<double> validated, prepared;
  script.scores = {{4, 0.1}, {8, 0.2}, {10, 0.3}};
  script.seen_validation = [&] { validated.push_back(weight(*model_)); };
  script.on_prepare = [&](int64_t) { prepared.push_back(weight(*model_)); };
  run(script);
  // After 4, 8 and 10 steps; then the mean of those of 6, 9 and 10.
  ASSERT_EQ(validated.size(), 4u);
  EXPECT_NEAR(validated[3], (prepared[6] + prepared[9] + validated[2]) / 3, 1e-7);
  EXPECT_GT(std::abs(validated[3] - validated[2]), 1e-6);
  EXPECT_THAT(log(), ElementsAre("train 1", "validation 4", "best 4", "train 5", "validation 8", "best 8", "train 10",
                                 "validation 10", "best 10", "average 10"));

  // Interrupted where it was tried, and before: the same.
  const std::string events = read_file(join_path(path_, "training/step-10/state.json"), 1 << 20);
  std::filesystem::remove_all(path_);
  ScriptedObjective parts;
  parts.scores = script.scores;
  std::vector<double> again;
  bool stop_average = true;
  parts.seen_validation = [&] {
    if (again.size() == 3 && std::exchange(stop_average, false)) throw Interrupted("stopped");
    again.push_back(weight(*model_));
  };
  parts.on_prepare = [&](int64_t step) {
    if (step == 5 || step == 10) throw Interrupted("stopped");
  };
  EXPECT_THAT(failure<Interrupted>(parts), HasSubstr("saved after step 4"));
  parts.on_prepare = [&](int64_t step) {
    if (step == 10) throw Interrupted("stopped");
  };
  EXPECT_THAT(failure<Interrupted>(parts), HasSubstr("saved after step 9"));
  parts.on_prepare = nullptr;
  EXPECT_THAT(failure<Interrupted>(parts), HasSubstr("saved after step 10"));
  run(parts);
  EXPECT_EQ(again, validated);
  EXPECT_EQ(read_file(join_path(path_, "training/step-10/state.json"), 1 << 20), events);
}

}  // namespace
}  // namespace roformer::test
