#include "tasks/finetune_grid.h"

#include <nlohmann/json.hpp>

#include "tasks/finetune_grid_page.h"
#include "tasks/task_scores.h"
#include "tests/tasks/task_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FinetuneGridTest : public TaskTrial {
 protected:
  FinetuneGridOptions grid(const std::string& output) {
    FinetuneGridOptions result{
        .training = options("classification", output), .learning_rates = {1e-3, 1e-2}, .seeds = 2, .threads = 1};
    result.training.schedule.learning_rate.reset();  // learning_rates has them
    result.training.schedule.epochs = 2;
    return result;
  }
  static std::vector<std::string> names(const FinetuneGrid& grid) {
    std::vector<std::string> all;
    for (const FinetuneRun& run : grid.runs) all.push_back(run.name);
    return all;
  }
};

TEST_F(FinetuneGridTest, TheBestRunIsPublishedAndNothingIsRepeated) {
  const FinetuneGridOptions settings = grid("grid");
  const FinetuneGrid result = finetune_grid(settings);
  EXPECT_THAT(names(result), ElementsAre("learning-rate-0.001-seed-1", "learning-rate-0.01-seed-1",
                                         "learning-rate-0.001-seed-2", "learning-rate-0.01-seed-2"));
  ASSERT_TRUE(result.best_run);
  double best = 0;
  for (const FinetuneRun& run : result.runs) best = std::max(best, run.scores->scores[0].value);
  EXPECT_EQ(result.runs[*result.best_run].scores->scores[0].value, best);
  const std::string run = result.run_directory(*result.best_run);
  for (const char* name : {"model.safetensors", "config.json", "evaluation.json", "predictions.jsonl", "vocab.txt"}) {
    if (exists(join_path(run, name))) {
      EXPECT_EQ(text_of(path("grid/" + std::string(name))), text_of(join_path(run, name))) << name;
    }
  }
  EXPECT_THAT(best_run_text(result), HasSubstr(result.runs[*result.best_run].name));
  const Json json = Json::parse(text_of(path("grid/results.json")));
  EXPECT_EQ(json.at("learning_rates").size(), 2u);
  EXPECT_EQ(json.at("learning_rates")[0].at("n"), 2);
  EXPECT_EQ(json.at("best").at("run"), result.runs[*result.best_run].name);
  EXPECT_EQ(json.at("best").at("n"), 21);
  EXPECT_THAT(text_of(path("grid/report.html")), HasSubstr("seed 2"));

  const std::string before = text_of(path("grid/results.json"));
  std::filesystem::remove_all(path("grid/runs/learning-rate-0.01-seed-2"));
  said_.clear();
  finetune_grid(settings);
  EXPECT_EQ(text_of(path("grid/results.json")), before);
  EXPECT_THAT(said_, HasSubstr("learning-rate-0.001-seed-2, 3 of 4: already finished"));
  EXPECT_THAT(said_, ::testing::Not(HasSubstr("seed-2, 4 of 4: already finished")));
}

TEST_F(FinetuneGridTest, SideBySideTheBitsAreTheSame) {
  FinetuneGridOptions settings = grid("alone");
  const FinetuneGrid alone = finetune_grid(settings);
  settings.training.output = path("beside");
  settings.training.messages.write = [](std::string_view) {};
  settings.jobs = 3;
  settings.threads = 3;
  finetune_grid(settings);
  for (const std::string& name : names(alone)) expect_same_result("alone/runs/" + name, "beside/runs/" + name);
  expect_same_result("alone", "beside");
  EXPECT_EQ(text_of(path("alone/results.json")), text_of(path("beside/results.json")));
}

TEST_F(FinetuneGridTest, ARateChosenOnTheFirstSeed) {
  FinetuneGridOptions settings = grid("grid");
  settings.rate_on_first_seed = true;
  settings.seeds = 3;
  settings.learning_rates = {1e-7, 1e-2};
  const FinetuneGrid result = finetune_grid(settings);
  EXPECT_THAT(names(result), ElementsAre("learning-rate-1e-07-seed-1", "learning-rate-0.01-seed-1",
                                         "learning-rate-0.01-seed-2", "learning-rate-0.01-seed-3"));
  EXPECT_THAT(finetune_grid_table(result)[2], ::testing::Contains("3"));
  const std::string before = text_of(path("grid/results.json"));
  finetune_grid(settings);
  EXPECT_EQ(text_of(path("grid/results.json")), before);
}

TEST_F(FinetuneGridTest, FoldsAreScoredTogether) {
  FinetuneGridOptions settings{
      .training = options("classification", "folds"), .learning_rates = {}, .seeds = {}, .threads = 1};
  settings.training.validation.clear();
  settings.training.folds = 3;
  settings.training.schedule.epochs = 3;
  ASSERT_TRUE(is_grid_of_runs(settings));
  const FinetuneGrid result = finetune_grid(settings);
  EXPECT_THAT(names(result), ElementsAre("fold-1", "fold-2", "fold-3"));
  ASSERT_EQ(result.repetitions.size(), 1u);
  EXPECT_EQ(result.repetitions[0].scores->examples, 48);
  double right = 0;
  for (const FinetuneRun& run : result.runs)
    right += run.scores->scores[0].value * static_cast<double>(run.scores->examples);
  EXPECT_NEAR(*result.repetitions[0].metric("accuracy"), right / 48, 1e-12);
  const PredictedExamples all = repetition_predictions(result, result.repetitions[0]);
  std::set<int64_t> lines;
  for (const Example& example : all.examples) lines.insert(example.line);
  EXPECT_EQ(lines.size(), 48u) << "each example is validated on once";
  EXPECT_THAT(best_run_text(result), HasSubstr("All 3 folds together"));
}

TEST_F(FinetuneGridTest, InterruptedItGoesOn) {
  FinetuneGridOptions settings = grid("whole");
  finetune_grid(settings);
  settings.training.output = path("parts");
  std::stop_source source;
  settings.training.stop_token = source.get_token();
  int runs = 0;
  settings.training.warned = nullptr;
  settings.training.messages.write = [&](std::string_view text) {
    if (text.find(" of 4\n") != std::string_view::npos && ++runs == 2) source.request_stop();
  };
  EXPECT_THROW(finetune_grid(settings), Interrupted);
  EXPECT_EQ(runs, 2);
  ThreadPool pool(1);
  const FinetuneGrid unfinished = read_finetune_grid(path("parts"), pool);
  EXPECT_TRUE(unfinished.runs[0].scores.has_value());
  EXPECT_FALSE(unfinished.runs[3].scores.has_value());
  EXPECT_THAT(finetune_grid_page(unfinished, "title"), HasSubstr("learning-rate-0.001-seed-1"));
  settings.training.stop_token = {};
  finetune_grid(settings);
  EXPECT_EQ(text_of(path("parts/results.json")), text_of(path("whole/results.json")));
  expect_same_result("parts", "whole");
}

TEST_F(FinetuneGridTest, AFailedRunIsNamed) {
  FinetuneGridOptions settings = grid("grid");
  finetune_grid(settings);
  write_file_atomically(path("grid/runs/learning-rate-0.01-seed-1/evaluation.json"), "damaged");
  std::filesystem::remove(path("grid/runs/learning-rate-0.01-seed-2/evaluation.json"));
  ThreadPool pool(1);
  EXPECT_THROW(read_finetune_grid(path("grid"), pool), DataError);
  // A log that cannot be replaced.
  const std::string log = path("grid/runs/learning-rate-0.01-seed-2/log.jsonl");
  std::filesystem::remove(log);
  std::filesystem::create_directories(log + "/x");
  try {
    finetune_grid(settings);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("learning-rate-0.01-seed-2: "));
  }
}

TEST_F(FinetuneGridTest, ImpossibleGridsAreRefused) {
  const auto expect_refused = [&](const std::function<void(FinetuneGridOptions&)>& change, const std::string& part) {
    FinetuneGridOptions settings = grid("refused");
    change(settings);
    try {
      finetune_grid(settings);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
    EXPECT_FALSE(exists(path("refused"))) << part;
  };
  expect_refused([](auto& g) { g.training.schedule.learning_rate = 1; }, "use either learning_rate or learning_rates");
  expect_refused([](auto& g) { g.learning_rates = {1e-3, 1e-3}; }, "twice");
  expect_refused([](auto& g) { g.learning_rates = {-1}; }, "above 0");
  expect_refused([](auto& g) { g.jobs = 0; }, "jobs is 0");
  expect_refused([](auto& g) { g.training.metric = "acuracy"; }, "expected one of");
  expect_refused(
      [](auto& g) {
        g.rate_on_first_seed = true;
        g.seeds = 1;
      },
      "several learning_rates and several seeds");
  FinetuneGridOptions settings = grid("x");
  settings.training.output = path("model");
  EXPECT_THROW(finetune_grid(settings), FileError);
}

}  // namespace
}  // namespace roformer::test
