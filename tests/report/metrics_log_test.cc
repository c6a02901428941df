#include "report/metrics_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

constexpr char kLog[] =
    R"({"event":"train","step":10,"loss":5.5,"learning_rate":1e-4,"tokens":100,"note":"x","extra":null}
{"event":"validation","step":10,"loss":5.4,"accuracy":0.25}

{"event":"train","step":20,"loss":4.5}
)";

TEST(MetricsLog, ReadsRecordsAndCurves) {
  const auto records = parse_metrics_log(kLog, "log.jsonl");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].event, "train");
  EXPECT_EQ(records[0].step, 10);
  EXPECT_EQ(records[0].values,
            (std::map<std::string, double>{{"loss", 5.5}, {"learning_rate", 1e-4}, {"tokens", 100}}));
  const auto curve = metrics_curve(records, "train", "loss");
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[1].x, 20);
  EXPECT_EQ(curve[1].y, 4.5);
  EXPECT_EQ(metrics_curve(records, "validation", "accuracy").size(), 1u);
  EXPECT_TRUE(metrics_curve(records, "train", "accuracy").empty());
}

TEST(MetricsLog, ADamagedLastLineIsIgnored) {
  for (const char* tail : {"{\"event\":\"tra", "{", "\x01\x02", "{\"event\":\"train\",\"step\":30,\"loss\":4.\n \n"}) {
    EXPECT_EQ(parse_metrics_log(std::string(kLog) + tail, "log.jsonl").size(), 3u) << tail;
  }
  EXPECT_TRUE(parse_metrics_log("", "log.jsonl").empty());
  EXPECT_TRUE(parse_metrics_log("\n\n", "log.jsonl").empty());
}

TEST(MetricsLog, DamageElsewhereIsAnErrorWithItsLine) {
  const auto expect_failure = [](const std::string& text, int64_t line, const std::string& key) {
    const ErrorDetail detail = detail_of<DataError>([&] { parse_metrics_log(text, "log.jsonl"); });
    EXPECT_EQ(detail.path, "log.jsonl") << text.substr(0, 100);
    EXPECT_EQ(detail.line, line) << text.substr(0, 100);
    EXPECT_EQ(detail.key, key) << text.substr(0, 100);
  };
  expect_failure(std::string("{\"event\":\"tra\n") + kLog, 1, "");
  expect_failure("{\"event\":\"train\",\"step\":1}\n[1]\n" + std::string(kLog), 2, "");
  expect_failure("\n{\"step\":1}\n", 2, "event");
  expect_failure("{\"event\":\"train\"}\n", 1, "step");
  expect_failure("{\"event\":\"train\",\"step\":-1}\n", 1, "step");
  expect_failure("{\"event\":\"train\",\"step\":1.5}\n", 1, "step");
  expect_failure("{\"event\":3,\"step\":1}\n", 1, "event");
  expect_failure(std::string(2 << 20, 'x') + "\n" + kLog, 1, "");
  EXPECT_THAT([] { parse_metrics_log("\n[1]\n[1]\n", "log.jsonl"); },
              testing::ThrowsMessage<DataError>("log.jsonl:2: found array, expected an object"));
}

TEST(MetricsLog, ReadsFilesAndRefusesMissingOnes) {
  const TempDirectory directory;
  const std::string path = directory / "metrics_log_test.jsonl";
  std::ofstream(path) << kLog;
  EXPECT_EQ(read_metrics_log(path).size(), 3u);
  std::remove(path.c_str());
  EXPECT_THROW(read_metrics_log(path), FileError);
}

TEST(MetricsLog, AResumedRunReplacesWhatItRepeats) {
  const auto records = parse_metrics_log(
      "{\"event\":\"train\",\"step\":10,\"loss\":5}\n{\"event\":\"train\",\"step\":20,\"loss\":4}\n"
      "{\"event\":\"train\",\"step\":30,\"loss\":3}\n{\"event\":\"train\",\"step\":20,\"loss\":4.5}\n",
      "log");
  const auto curve = metrics_curve(records, "train", "loss");
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[0].y, 5);
  EXPECT_EQ(curve[1].y, 4.5);
}

TEST(SummarizeCurves, MeanAndBandAtCommonSteps) {
  const PlotSeries series = summarize_curves("mean", {{{0, 1}, {10, 3}, {20, 5}}, {}, {{5, 4}, {15, 6}, {25, 8}}});
  EXPECT_EQ(series.name, "mean");
  // Common range 5 … 20; the first curve is 2, 3, 4, 5 there, the second 4, 5, 6, 7.
  ASSERT_EQ(series.points.size(), 4u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(series.points[i].x, 5 + 5 * i);
    EXPECT_DOUBLE_EQ(series.points[i].y, 3 + i);
    EXPECT_DOUBLE_EQ(series.low[i].y, 2 + i);
    EXPECT_DOUBLE_EQ(series.high[i].y, 4 + i);
  }
}

TEST(SummarizeCurves, OneOrNoCurve) {
  EXPECT_TRUE(summarize_curves("none", {{}, {}}).points.empty());
  const PlotSeries one = summarize_curves("one", {{{1, 2}, {2, 3}}});
  EXPECT_EQ(one.points.size(), 2u);
  EXPECT_TRUE(one.low.empty());
  EXPECT_TRUE(summarize_curves("apart", {{{0, 1}, {1, 1}}, {{5, 1}, {6, 1}}}).points.empty());
}

}  // namespace
}  // namespace roformer
