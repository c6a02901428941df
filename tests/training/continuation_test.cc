#include "training/continuation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ContinuationTest : public testing::Test {
 protected:
  // What a run of these options stores.
  Json settings(const ScheduleOptions& options) const {
    const Schedule schedule = make_schedule(options, {.learning_rate = 1, .steps = 100}, 0, 1);
    return {{"seed", 1},
            {"dtype", "float32"},
            {"schedule", options.kind},
            {"learning-rate", schedule.learning_rate},
            {"steps", schedule.steps},
            {"warmup", schedule.warmup}};
  }
  Continuation go_on(const Json& started, const ScheduleOptions& options, int64_t step) const {
    return continue_run("run", options, JsonObject(started, "settings.json"), settings(options), step);
  }
  std::string refusal(const Json& started, const ScheduleOptions& options, int64_t step) const {
    try {
      go_on(started, options, step);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(ContinuationTest, TheSameSettingsAreGoneOnWith) {
  const Json started = settings({.steps = 50});
  const Continuation run = go_on(started, {.steps = 50}, 20);
  EXPECT_EQ(run.settings, started);
  EXPECT_EQ(run.schedule.steps, 50);
  EXPECT_EQ(run.notice, "");
}

TEST_F(ContinuationTest, RatesThatDoNotDependOnTheEndAllowAnother) {
  for (const char* kind : {"constant", "inverse-sqrt"}) {
    const ScheduleOptions longer{.steps = 200, .warmup = 5, .kind = kind};
    const Continuation run = go_on(settings({.steps = 50, .warmup = 5, .kind = kind}), longer, 50);
    EXPECT_EQ(run.settings, settings(longer)) << kind;
    EXPECT_EQ(run.schedule.steps, 200);
    EXPECT_TRUE(run.schedule.earlier_ends.empty());
    EXPECT_EQ(run.notice, "");
  }
  // Within the warm-up no rate has depended on it; before the first step there was none.
  EXPECT_EQ(go_on(settings({.steps = 50, .warmup = 5}), {.steps = 40, .warmup = 5}, 5).schedule.steps, 40);
  EXPECT_EQ(go_on(settings({.steps = 50}), {.steps = 200}, 0).schedule.warmup, 20);
  // Warm-ups of 0 and of 1 step are the same.
  EXPECT_EQ(go_on(settings({.steps = 4, .kind = "constant"}), {.steps = 8, .kind = "constant"}, 4).schedule.warmup, 1);
}

TEST_F(ContinuationTest, ElsewhereItIsRefusedForWhatTheUserChanged) {
  const std::string linear = refusal(settings({.steps = 400}), {.steps = 800}, 400);
  EXPECT_THAT(linear,
              AllOf(HasSubstr("run: this run was started with other settings: steps was 400, now 800;"),
                    HasSubstr("of a linear schedule depend on it. extend goes on all the same: the learning rate was "
                              "0.00278 at step 400 and would be 0.526 at step 401. Or use another output"),
                    Not(HasSubstr("warmup was"))));
  EXPECT_THAT(
      refusal(settings({.steps = 400, .kind = "constant"}), {.steps = 800, .kind = "constant"}, 400),
      HasSubstr("steps was 400, now 800; the warm-up, 0.1 of the steps, was 40 and would be 80: use warmup 40 to "
                "keep it, or extend"));
  EXPECT_THAT(refusal(settings({.steps = 400}), {.steps = 300, .extend = true}, 300),
              HasSubstr("steps was 400, now 300; 300 are done already"));
  Json other = settings({.steps = 400});
  other["seed"] = 7;
  EXPECT_THAT(refusal(other, {.steps = 800, .extend = true}, 400),
              AllOf(HasSubstr("seed was 7, now 1; steps was 400, now 800; use them"), Not(HasSubstr("warmup"))));
  EXPECT_THAT(refusal(settings({.steps = 400}), {.steps = 400, .warmup = 0}, 400), HasSubstr("warmup was 40, now 0"));
  EXPECT_THAT(refusal(settings({.steps = 400}), {.steps = 800, .warmup = 7, .extend = true}, 400),
              HasSubstr("warmup was 40, now 7"));
}

TEST_F(ContinuationTest, ExtendedThePastStaysAndTheFutureIsSaid) {
  const Json started = settings({.steps = 400});
  const ScheduleOptions more{.steps = 800, .extend = true};
  const Continuation run = go_on(started, more, 400);
  EXPECT_EQ(
      run.notice,
      "the learning rate was 0.00278 at step 400 and is 0.526 at step 401: the linear schedule now ends at step 800");
  EXPECT_EQ(run.schedule.warmup, 40);
  const Schedule first{.learning_rate = 1, .warmup = 40, .steps = 400};
  const Schedule second{.learning_rate = 1, .warmup = 40, .steps = 800};
  for (const int64_t step : {1, 40, 41, 399, 400}) EXPECT_EQ(run.schedule.at(step), first.at(step)) << step;
  for (const int64_t step : {401, 402, 800}) EXPECT_EQ(run.schedule.at(step), second.at(step)) << step;

  // Resumed by the same command, or without the flag, it is the same run.
  for (const bool extend : {true, false}) {
    const Continuation again = go_on(run.settings, {.steps = 800, .extend = extend}, 600);
    EXPECT_EQ(again.settings, run.settings);
    EXPECT_EQ(again.schedule.at(399), run.schedule.at(399));
    EXPECT_EQ(again.notice, "");
  }
  // Extended once more.
  const Continuation third = go_on(run.settings, {.steps = 900, .extend = true}, 800);
  for (const int64_t step : {1, 400, 401, 800}) EXPECT_EQ(third.schedule.at(step), run.schedule.at(step)) << step;
  EXPECT_EQ(third.schedule.earlier_ends,
            (std::vector<Schedule::EarlierEnd>{{.after = 400, .steps = 400}, {.after = 800, .steps = 800}}));
  // Behind the place where it was extended, since later snapshots are damaged.
  const Continuation back = go_on(run.settings, {.steps = 900, .extend = true}, 300);
  EXPECT_EQ(back.schedule.earlier_ends, (std::vector<Schedule::EarlierEnd>{{.after = 300, .steps = 400}}));
}

TEST_F(ContinuationTest, AWarmUpThatIsKeptIsKeptWhenResumed) {
  const ScheduleOptions more{.steps = 800, .kind = "constant", .extend = true};
  const Continuation run = go_on(settings({.steps = 400, .kind = "constant"}), more, 400);
  EXPECT_EQ(run.schedule.warmup, 40);
  EXPECT_EQ(go_on(run.settings, more, 500).settings, run.settings);
}

TEST_F(ContinuationTest, DamagedSettingsAreSaidSo) {
  Json damaged = settings({.steps = 400});
  damaged["earlier-ends"] = 3;
  EXPECT_THROW(go_on(damaged, {.steps = 400}, 1), DataError);
  EXPECT_THAT(
      refusal(Json::object(), {.steps = 400}, 1),
      HasSubstr("learning-rate was null, now 1.0; schedule was null, now \"linear\"; seed was null, now 1; steps was "
                "null, now 400"));
  damaged.erase("earlier-ends");
  damaged["steps"] = "many";
  EXPECT_THROW(go_on(damaged, {.steps = 400}, 1), DataError);
}

}  // namespace
}  // namespace roformer
