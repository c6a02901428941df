#include "report/svg_planes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "base/error.h"
#include "tests/report/xml.h"

namespace roformer {
namespace {

using testing::HasSubstr;

constexpr double kQuarter = std::numbers::pi / 2;

PlaneTable one(const Plane& plane) {
  return {.title = "T", .columns = {{"column", "detail"}}, .rows = {}, .planes = {plane}};
}

// The circle of a single plane without labels has its center at (360, 189) and a radius of 100.
TEST(SvgPlanes, ArrowsPointWhereTheirAnglesSay) {
  const std::string svg = svg_planes(one({.arrows = {{.angle = kQuarter, .length = 0.8, .color = 1}}}));
  expect_well_formed(svg);
  EXPECT_THAT(svg, HasSubstr("cx=\"360.0\" cy=\"189.0\" r=\"100.0\""));
  EXPECT_THAT(svg, HasSubstr("rf-s1\" opacity=\"1\" x1=\"360.0\" y1=\"189.0\" x2=\"360.0\" y2=\"119.0\""));
  EXPECT_THAT(svg, HasSubstr("points=\"360.0,109.0 356.2,119.0 363.8,119.0\""));
}

TEST(SvgPlanes, ArcsGoTheWayTheyAreGiven) {
  const auto arc = [](double from, double to) {
    return svg_planes(one({.arrows = {}, .arcs = {{from, to, 0.5, ""}}}));
  };
  EXPECT_THAT(arc(0, kQuarter), HasSubstr("M410.0 189.0A50.0 50.0 0 0 0 360.0 139.0"));
  EXPECT_THAT(arc(kQuarter, 0), HasSubstr("M360.0 139.0A50.0 50.0 0 0 1 410.0 189.0"));
  EXPECT_THAT(arc(0, 3 * kQuarter), HasSubstr("M410.0 189.0A50.0 50.0 0 1 0 360.0 239.0"));
}

TEST(SvgPlanes, ATableHasAPlaneForEachCell) {
  PlaneTable table{.title = "a<b & c",
                   .corner = {"", "corner"},
                   .columns = {{"one", "1"}, {"two", "2"}},
                   .rows = {{"first", ""}, {"second", "detail"}, {"third", ""}},
                   .planes = std::vector<Plane>(6)};
  table.planes[4].arrows = {{.angle = 1, .label = "<q>", .faint = true}, {.angle = 2}};
  table.planes[4].arcs = {{.from = 1, .to = 2, .label = "57°"}};
  const std::string svg = svg_planes(table);
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<circle"), 6);
  EXPECT_EQ(count(svg, "<polygon"), 2);
  EXPECT_EQ(count(svg, "opacity=\"0.4\""), 2);
  for (const char* text : {"<title>a&lt;b &amp; c</title>", ">corner<", ">two<", ">second<", ">detail<", ">&lt;q&gt;<",
                           ">57°<", "prefers-color-scheme:dark"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(SvgPlanes, CellsWithoutAPlaneAreRefused) {
  PlaneTable table = one({});
  table.rows = {{"a", ""}, {"b", ""}};
  EXPECT_THROW(svg_planes(table), ShapeError);
  EXPECT_THROW(svg_planes({}), ShapeError);
}

}  // namespace
}  // namespace roformer
