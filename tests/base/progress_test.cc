#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Screen {
  double now = 100;
  std::vector<std::string> writes;

  Progress::Output output(TerminalStyle style) {
    return {style, [this](std::string_view text) { writes.emplace_back(text); }, [this] { return now; }};
  }
};

constexpr TerminalStyle kTerminal{.interactive = true, .color = false, .unicode = false, .columns = 100};

TEST(Progress, DrawsABarWithRateAndTimes) {
  Screen screen;
  Progress progress({.label = "pretrain", .total = 200}, screen.output(kTerminal));
  screen.now += 10;
  progress.update(50, "loss 3.12");
  ASSERT_EQ(screen.writes.size(), 1u);
  EXPECT_EQ(screen.writes[0],
            "\r\x1b[Kpretrain =====--------------- 50/200 25 %  loss 3.12  5 steps/s  elapsed 0:10  remaining "
            "0:30");
}

TEST(Progress, NarrowLinesDropTheBarThenTheElapsedTimeThenTheRate) {
  const auto drawn = [](int columns) {
    Screen screen;
    TerminalStyle style = kTerminal;
    style.columns = columns;
    Progress progress({.label = "work", .total = 200}, screen.output(style));
    screen.now += 10;
    progress.update(50, "loss 3.12");
    return screen.writes.at(0).substr(4);
  };
  EXPECT_EQ(drawn(80), "work ==-------- 50/200 25 %  loss 3.12  5 steps/s  elapsed 0:10  remaining 0:30");
  EXPECT_EQ(drawn(70), "work 50/200 25 %  loss 3.12  5 steps/s  elapsed 0:10  remaining 0:30");
  EXPECT_EQ(drawn(60), "work 50/200 25 %  loss 3.12  5 steps/s  remaining 0:30");
  EXPECT_EQ(drawn(50), "work 50/200 25 %  loss 3.12  remaining 0:30");
  EXPECT_EQ(drawn(20), "work 50/200 25 %  l");
}

TEST(Progress, LeavesTheTimesToTheNote) {
  Screen screen;
  Progress progress({.label = "work", .total = 200, .times = false}, screen.output({}));
  screen.now += 10;
  progress.update(50, "remaining 1:00");
  EXPECT_EQ(screen.writes[0], "work: 50/200 25 %  remaining 1:00  5 steps/s\n");
}

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  Screen screen;
  Progress progress({.label = "work", .total = 1000}, screen.output(kTerminal));
  for (int i = 1; i <= 1000; ++i) {
    screen.now += 0.001;
    progress.update(i);
  }
  EXPECT_GE(screen.writes.size(), 8u);
  EXPECT_LE(screen.writes.size(), 10u);
}

TEST(Progress, WritesPlainLinesNowAndThenWhereThereIsNoTerminal) {
  Screen screen;
  Progress progress({.label = "work", .total = 100}, screen.output({}));
  for (int i = 1; i <= 100; ++i) {
    screen.now += 0.25;
    progress.update(i);
  }
  progress.finish();
  ASSERT_EQ(screen.writes.size(), 3u);
  EXPECT_EQ(screen.writes[0], "work: 40/100 40 %  4 steps/s  elapsed 0:10  remaining 0:15\n");
  EXPECT_EQ(screen.writes[2], "work: 100/100 100 %  4 steps/s  elapsed 0:25\n");
  for (const auto& text : screen.writes) EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Progress, CountsOnlyItsOwnWorkInTheRate) {
  Screen screen;
  Progress progress({.label = "work", .total = 1000, .start = 900}, screen.output(kTerminal));
  screen.now += 10;
  progress.update(950);
  EXPECT_THAT(screen.writes.at(0), HasSubstr("950/1000 95 %  5 steps/s  elapsed 0:10  remaining 0:10"));
}

TEST(Progress, NeverClaimsToBeDoneBeforeTheEnd) {
  Screen screen;
  Progress progress({.label = "work", .total = 1000}, screen.output(kTerminal));
  screen.now += 1;
  progress.update(999);
  EXPECT_THAT(screen.writes.at(0), HasSubstr("999/1000 99 %"));
}

TEST(Progress, FinishEndsTheLineOnce) {
  Screen screen;
  {
    Progress progress({.label = "work", .total = 2}, screen.output(kTerminal));
    progress.update(2);
    progress.finish();
    progress.finish();
    progress.update(1);
  }
  ASSERT_EQ(screen.writes.size(), 2u);
  EXPECT_THAT(screen.writes[0], HasSubstr("2/2 100 %"));
  EXPECT_EQ(screen.writes[1], "\n");
}

TEST(Progress, AnAbandonedBarLeavesAFreshLine) {
  Screen screen;
  {
    Progress progress({.label = "work", .total = 2}, screen.output(kTerminal));
    screen.now += 1;
    progress.update(1);
  }
  EXPECT_EQ(screen.writes.back(), "\n");
  screen.writes.clear();
  { Progress progress({.label = "work", .total = 2}, screen.output(kTerminal)); }
  EXPECT_TRUE(screen.writes.empty());
}

TEST(Progress, PrintsLinesAboveTheBar) {
  Screen screen;
  Progress progress({.label = "work", .total = 2}, screen.output(kTerminal));
  progress.print("first");
  screen.now += 1;
  progress.update(1);
  progress.print("second");
  ASSERT_EQ(screen.writes.size(), 5u);
  EXPECT_EQ(screen.writes[0], "first\n");
  EXPECT_EQ(screen.writes[2], "\r\x1b[K");
  EXPECT_EQ(screen.writes[3], "second\n");
  EXPECT_THAT(screen.writes[4], StartsWith("\r\x1b[Kwork "));
}

TEST(Progress, FitsTheTerminal) {
  for (const int columns : {10, 20, 40, 60, 80}) {
    Screen screen;
    TerminalStyle style = kTerminal;
    style.columns = columns;
    Progress progress({.label = "work", .total = 200}, screen.output(style));
    screen.now += 10;
    progress.update(50, "loss über 3.12 and much more to say about it than a narrow terminal can show");
    int code_points = 0;
    for (const unsigned char c : screen.writes.at(0).substr(4)) code_points += (c & 0xC0) != 0x80;
    EXPECT_LT(code_points, columns);
  }
}

TEST(Progress, WorkOfUnknownLength) {
  Screen screen;
  Progress progress({.label = "index", .unit = "line"}, screen.output(kTerminal));
  screen.now += 4;
  progress.update(10000);
  EXPECT_EQ(screen.writes.at(0), "\r\x1b[Kindex 10000  2.5k lines/s  elapsed 0:04");
  screen.now += 4;
  progress.update(20000, {}, 0.2);
  EXPECT_EQ(screen.writes.at(1), "\r\x1b[Kindex 20000  20 %  2.5k lines/s  elapsed 0:08  remaining 0:32");
}

TEST(Progress, ColorOnlyWhereItIsWanted) {
  Screen screen;
  TerminalStyle style = kTerminal;
  style.color = style.unicode = true;
  Progress progress({.label = "work", .total = 2}, screen.output(style));
  screen.now += 1;
  progress.update(1);
  EXPECT_THAT(screen.writes.at(0), HasSubstr("\x1b[36m━━━━━━━━━━\x1b[2m──────────\x1b[0m"));
}

TEST(TerminalStyle, AFileIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const TerminalStyle style = TerminalStyle::of(fileno(file));
  EXPECT_FALSE(style.interactive);
  EXPECT_FALSE(style.color);
  EXPECT_EQ(style.columns, 80);
  std::fclose(file);
}

TEST(Format, DurationsAndCounts) {
  EXPECT_EQ(format_duration(7.4), "0:07");
  EXPECT_EQ(format_duration(245), "4:05");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(2 * 86400 + 3 * 3600 + 245), "2 d 3:04:05");
  EXPECT_EQ(format_duration(-1), "-");
  EXPECT_EQ(format_duration(1e300), "-");
  EXPECT_EQ(format_count(0.417), "0.42");
  EXPECT_EQ(format_count(3.14), "3.1");
  EXPECT_EQ(format_count(45), "45");
  EXPECT_EQ(format_count(999.7), "1k");
  EXPECT_EQ(format_count(12345), "12.3k");
  EXPECT_EQ(format_count(1.5e6), "1.5M");
  EXPECT_EQ(counted(1, "document"), "1 document");
  EXPECT_EQ(counted(0, "document"), "0 documents");
}

}  // namespace
}  // namespace roformer
