#include "report/classification_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "report/svg_confusion.h"
#include "report/svg_reliability.h"
#include "tests/report/xml.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostileLabel = "<b>\"&\x01";

ConfusionMatrix matrix_of(int64_t classes) {
  ConfusionMatrix matrix{.classes = classes, .counts = std::vector<int64_t>(static_cast<size_t>(classes * classes))};
  for (int64_t i = 0; i < classes * classes; ++i) matrix.counts[static_cast<size_t>(i)] = i;
  return matrix;
}

std::vector<std::string> names_of(int64_t classes) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < classes; ++i) names.push_back("class-" + std::to_string(i));
  return names;
}

TEST(SvgConfusion, HasCountsSharesAndNames) {
  const ConfusionMatrix matrix{.classes = 2, .counts = {30, 10, 0, 0}};
  const std::string svg = svg_confusion(matrix, {"no", kHostileLabel}, "Title & more");
  expect_well_formed(svg);
  for (const char* text : {">30<", ">10<", ">75 %<", ">25 %<", ">no<", "Title &amp; more", "&lt;b&gt;"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  EXPECT_EQ(count(svg, "fill-opacity=\"0.750\""), 1);
  EXPECT_EQ(count(svg, "fill-opacity=\"0.250\""), 1);
  EXPECT_EQ(count(svg, "fill-opacity=\"0.000\""), 2);  // a class without examples
  EXPECT_THAT(svg, Not(HasSubstr(">0<")));
}

TEST(SvgConfusion, ManyClassesAreAPicture) {
  const std::string few = svg_confusion(matrix_of(20), names_of(20), "few");
  EXPECT_THAT(few, HasSubstr("class-19"));
  EXPECT_THAT(few, Not(HasSubstr("<image")));
  const std::string many = svg_confusion(matrix_of(21), names_of(21), "many");
  expect_well_formed(many);
  EXPECT_THAT(many, HasSubstr("<image"));
  EXPECT_THAT(many, Not(HasSubstr("class-")));
  EXPECT_THROW(svg_confusion(matrix_of(3), names_of(2), ""), ShapeError);
  EXPECT_THROW(svg_confusion({}, {}, ""), ShapeError);
}

TEST(SvgReliability, HasABarAndAMarkPerBinWithPredictions) {
  const std::vector<ReliabilityBin> bins = {{.low = 0, .high = 0.5, .count = 0},
                                            {.low = 0.5, .high = 1, .count = 4, .confidence = 0.75, .accuracy = 0.5}};
  const std::string svg = svg_reliability(bins, "<t>");
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "rf-line rf-s1"), 1);
  EXPECT_EQ(count(svg, "fill-opacity="), 2);  // the bar and its share below
  EXPECT_THAT(svg, HasSubstr("expected calibration error 0.250, 4 predictions"));
  EXPECT_THAT(svg, HasSubstr("height=\"160.0\""));  // half of the height
  EXPECT_THAT(svg_reliability({{.low = 0, .high = 1}}, ""), HasSubstr("no predictions"));
  EXPECT_THROW(svg_reliability({}, ""), ShapeError);
}

TEST(ErrorTable, TheMostConfidentErrorsFirstAndLongTextsCut) {
  const std::vector<WrongPrediction> errors = {
      {.example = "line 1", .probability = 0.6, .gold = "a", .predicted = "b", .texts = {"short"}},
      {.example = "line 2", .probability = 0.9, .gold = "b", .predicted = "a", .texts = {"山川湖海日月", "second"}},
      {.example = "line 3", .probability = 0.7, .gold = "b", .predicted = "a", .texts = {"x"}}};
  const HtmlTable table = error_table(errors, 2, 5);
  EXPECT_EQ(table.caption, "The 2 most confident of 3 errors");
  EXPECT_THAT(table.columns, ElementsAre("example", "probability", "predicted", "gold", "text 1", "text 2"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("line 2", "0.900", "a", "b", "山川湖海…", "seco…"),
                                      ElementsAre("line 3", "0.700", "a", "b", "x", "")));
  EXPECT_EQ(error_table(errors).caption, "All 3 errors, the most confident first");
}

TEST(ConfusedPairs, TheMostFrequentFirst) {
  const ConfusionMatrix matrix{.classes = 3, .counts = {5, 1, 2, 0, 4, 6, 0, 0, 3}};
  const HtmlTable table = confused_pairs(matrix, {"a", "b", "c"}, 2);
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("b", "c", "6", "60.0 %"), ElementsAre("a", "c", "2", "25.0 %")));
  EXPECT_THAT(class_table(matrix, {"a", "b", "c"}).rows[1], ElementsAre("b", "0.800", "0.400", "0.533", "10"));
}

TEST(ClassificationSection, EscapesWhatItShows) {
  ClassificationResult result{.scores = {.examples = 10, .scores = {{.name = "accuracy", .value = 0.5}}},
                              .labels = {kHostileLabel, "b", "c"},
                              .matrix = {.classes = 3, .counts = {5, 1, 2, 0, 4, 6, 0, 0, 3}},
                              .bins = {{.low = 0, .high = 1, .count = 4, .confidence = 0.75, .accuracy = 0.5}},
                              .errors = {{.example = "<i>",
                                          .probability = 0.9,
                                          .gold = kHostileLabel,
                                          .predicted = "b",
                                          .texts = {"<script>alert(1)</script>"}}}};
  HtmlPage page("Evaluation");
  add_classification(page, result);
  const std::string html = page.finish();
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)"));
  EXPECT_THAT(html, HasSubstr("class=\"prose\""));
  for (const char* part : {"Confusion matrix", "Reliability", "Errors to read", "The most frequent confusions"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  result.labels.pop_back();
  EXPECT_THROW(add_classification(page, result), ShapeError);
}

}  // namespace
}  // namespace roformer
