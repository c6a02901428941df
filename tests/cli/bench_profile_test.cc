#include "cli/bench_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

namespace roformer {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(BenchProfile, DataInACacheHaveNoShareOfTheMemorysPeak) {
  const MachinePeaks peaks{.float32 = 100e9, .bandwidth = 10e9};
  const Profile::Entries slow = {{"linear", {.calls = 1, .seconds = 1, .operations = 90e9}},
                                 {"norm", {.calls = 1, .seconds = 0.5, .bytes = 4e9}}};
  const std::string table = profile_table(slow, {.passes = 1, .measured = 2}, peaks, Precision::float32);
  EXPECT_THAT(table, ContainsRegex("linear .* 90%\n"));
  EXPECT_THAT(table, ContainsRegex("norm .* 80%\n"));
  EXPECT_THAT(table, Not(HasSubstr("in cache")));
  const Profile::Entries fast = {{"norm", {.calls = 1, .seconds = 0.5, .bytes = 20e9}}};
  const std::string cached = profile_table(fast, {.passes = 1, .measured = 1}, peaks, Precision::float32);
  EXPECT_THAT(cached, ContainsRegex("norm .* 40.0 in cache\n"));
  EXPECT_THAT(cached, HasSubstr("\nin cache: faster than copies"));
}

TEST(BenchProfile, ATraceHasTheCallsOfEachThread) {
  Profile profile({.events = true});
  const Profile::Clock::time_point begin{};
  const auto at = [&](int milliseconds) { return begin + std::chrono::milliseconds(milliseconds); };
  profile.add("norm", {}, at(5), at(7));
  std::thread([&] { profile.add("linear", {}, at(3), at(4)); }).join();
  const Json events = trace_json(profile)["traceEvents"];
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0], (Json{{"name", "norm"}, {"ph", "X"}, {"pid", 0}, {"tid", 0}, {"ts", 2000.0}, {"dur", 2000.0}}));
  EXPECT_EQ(events[1], (Json{{"name", "linear"}, {"ph", "X"}, {"pid", 0}, {"tid", 1}, {"ts", 0.0}, {"dur", 1000.0}}));
  EXPECT_TRUE(trace_json(Profile())["traceEvents"].empty());
}

}  // namespace
}  // namespace roformer
