#include "report/html_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "report/heat_map.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile = "<script>alert('x')</script> & \"quoted\"";

std::string full_page() {
  HtmlPage page(kHostile);
  page.heading(kHostile);
  page.paragraph(kHostile);
  page.figure("<svg></svg>", kHostile);
  page.figure("<svg></svg>");
  page.table({.caption = kHostile, .columns = {kHostile, "b"}, .rows = {{kHostile, kHostile}}});
  page.folded_table(kHostile, {.caption = "c", .columns = {"a"}, .rows = {{"1"}}});
  page.gallery({{.label = kHostile, .small = "<svg></svg>", .large = "<svg></svg>", .caption = kHostile}});
  return page.finish();
}

// Start and end tags match; elements without content stand alone.
void expect_balanced(const std::string& html) {
  const std::set<std::string> empty = {"meta", "!DOCTYPE"};
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::string tag = html.substr(at + 1, html.find('>', at) - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (name.starts_with("/")) {
      ASSERT_FALSE(open.empty()) << tag;
      EXPECT_EQ(name.substr(1), open.back());
      open.pop_back();
    } else if (!tag.ends_with("/") && empty.count(name) == 0) {
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(HtmlPageTest, IsWholeAndEscapesEveryText) {
  const std::string html = full_page();
  expect_balanced(html);
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("<title>&lt;script&gt;"));
}

TEST(HtmlPageTest, NeedsNothingBesideItself) {
  const std::string html = full_page();
  for (const char* outside : {"http", "src=", "<link", "@import", "url(", "//"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(html, HasSubstr("name=\"viewport\""));
}

TEST(HtmlPageTest, FiguresThatFollowEachOtherShareABox) {
  HtmlPage page("t");
  page.figure("<svg></svg>");
  page.figure("<svg></svg>");
  page.paragraph("between");
  page.figure("<svg></svg>");
  const std::string html = page.finish();
  expect_balanced(html);
  size_t boxes = 0;
  for (size_t at = 0; (at = html.find("<div class=\"figures\">", at)) != std::string::npos; ++at) ++boxes;
  EXPECT_EQ(boxes, 2u);
}

TEST(HtmlPageTest, TablesAndLargePicturesSayWhereTheyScroll) {
  const std::string html = full_page();
  size_t hints = 0;
  for (size_t at = 0; (at = html.find("scroll →", at)) != std::string::npos; ++at) ++hints;
  EXPECT_EQ(hints, 3u);  // two tables, one picture
}

TEST(HtmlPageTest, AGalleryIsOneRow) {
  HtmlPage page("t");
  page.gallery(std::vector<HtmlPicture>(3));
  EXPECT_THAT(page.finish(), HasSubstr("<div class=\"gallery\" style=\"--pictures:3\">"));
}

std::string decode_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  EXPECT_EQ(text.size() % 4, 0u);
  std::string bytes;
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    EXPECT_NE(digits.find(c), std::string::npos);
    group = group << 6 | static_cast<uint32_t>(digits.find(c));
    if ((bits += 6) >= 8) bytes += static_cast<char>(group >> (bits -= 8));
  }
  return bytes;
}

uint32_t number(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// The image data of a PNG of stored blocks: rows with their filter byte.
std::string pixels(const std::string& address) {
  const std::string prefix = "data:image/png;base64,";
  EXPECT_TRUE(address.starts_with(prefix));
  const std::string png = decode_base64(address.substr(prefix.size()));
  EXPECT_EQ(png.substr(1, 3), "PNG");
  std::string data;
  for (size_t at = 8; at < png.size(); at += 12 + number(png, at)) {
    if (png.substr(at + 4, 4) == "IDAT") data = png.substr(at + 8, number(png, at));
  }
  std::string result;
  uint32_t a = 1, b = 0;
  for (size_t at = 2; at + 4 < data.size();) {  // after the zlib header
    const size_t length = static_cast<unsigned char>(data[at + 1]) + 256 * static_cast<unsigned char>(data[at + 2]);
    result += data.substr(at + 5, length);
    at += 5 + length;
  }
  for (const char byte : result) {
    a = (a + static_cast<unsigned char>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  EXPECT_EQ(number(data, data.size() - 4), b << 16 | a);
  return result;
}

TEST(HeatMapTest, APixelACell) {
  const std::string image = heat_map_image({2, 3, {0, 1, 0.5f, -1, 2, std::nanf("")}});
  EXPECT_EQ(pixels(image), std::string("\0\0\x3F\x20\0\0\x3F\0", 8));
}

TEST(HeatMapTest, LargeOnesTakeSeveralBlocks) {
  const HeatMap map{300, 300, std::vector<float>(90000, 1.0f)};
  const std::string all = pixels(heat_map_image(map));
  ASSERT_EQ(all.size(), 300u * 301);
  EXPECT_EQ(all.back(), 63);
}

TEST(HeatMapTest, ChunksCarryTheirChecksums) {
  const std::string png = decode_base64(heat_map_image({1, 1, {1}}).substr(22));
  EXPECT_EQ(number(png, png.size() - 4), 0xAE426082u);  // of IEND, the same in every PNG
}

TEST(HeatMapTest, SizesThatDoNotFitAreRefused) {
  EXPECT_THROW(heat_map_image({2, 2, {1}}), ShapeError);
  EXPECT_THROW(heat_map_image({0, 0, {}}), ShapeError);
  EXPECT_THROW(heat_map_image({int64_t{1} << 32, int64_t{1} << 32, {}}), ShapeError);
}

}  // namespace
}  // namespace roformer
