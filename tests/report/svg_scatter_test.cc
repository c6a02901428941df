#include "report/svg_scatter.h"

#include <limits>

#include "tests/report/xml.h"

namespace roformer {
namespace {

TEST(SvgScatter, HasADotForEachPoint) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = svg_scatter({{0, 0}, {1, 2}, {nan, 1}}, "a < b", "right", "predicted");
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<circle"), 2);
  EXPECT_EQ(count(svg, "class=\"rf-level\""), 1) << "the line of equal values";
  EXPECT_EQ(count(svg, "a &lt; b"), 2) << "as a title and for screen readers";
  // Both axes show 0 to 2: the first point is at their origin.
  EXPECT_EQ(count(svg, "cx=\"68.0\" cy=\"438.0\""), 1);
  expect_well_formed(svg_scatter({}, "none", "", ""));
  expect_well_formed(svg_scatter({{3, 3}}, "one", "", ""));
}

}  // namespace
}  // namespace roformer
