#include "cli/bench_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace roformer
