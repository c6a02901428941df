// Mark-up taken out of a line and put into its translation.
#include "text/markup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "text/markup_placement.h"
#include "text/unicode.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Words, and punctuation on its own.
std::vector<AlignedToken> word_tokens(const std::string& text) {
  std::vector<AlignedToken> tokens;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    const bool alone = std::string(".,!?").find(text[i]) != std::string::npos;
    const bool joins = !alone && !tokens.empty() && tokens.back().end == i &&
                       std::string(".,!?").find(text[i - 1]) == std::string::npos;
    if (joins) {
      ++tokens.back().end;
    } else {
      tokens.push_back({.begin = i, .end = i + 1});
    }
  }
  return tokens;
}

// links[t]: the word of the source's text that word t of the target translates, or −1.
std::string placed(const std::string& line, const std::string& target, const std::vector<int>& links) {
  const MarkedText source = parse_markup(line);
  const std::vector<AlignedToken> words = word_tokens(source.text);
  std::vector<AlignedToken> tokens = word_tokens(target);
  EXPECT_EQ(tokens.size(), links.size()) << target;
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (links[t] < 0) continue;
    const AlignedToken& word = words.at(static_cast<size_t>(links[t]));
    tokens[t].is_aligned = true;
    tokens[t].source_begin = word.begin;
    tokens[t].source_end = word.end;
  }
  return place_markup(source, target, tokens);
}

TEST(MarkupTest, TextWithoutTags) {
  EXPECT_EQ(parse_markup("a <b>bold</b> word").text, "a bold word");
  EXPECT_EQ(parse_markup("one<b>two</b>three").text, "onetwothree");
  EXPECT_EQ(parse_markup("a <b> spaced </b> word").text, "a spaced word");
  EXPECT_EQ(parse_markup("line<br/>break").text, "line break");
  EXPECT_EQ(parse_markup("line<br>break").text, "line break");
  EXPECT_EQ(parse_markup("long<wbr/>word").text, "longword");
  EXPECT_EQ(parse_markup("<!-- no --><p class='a > b'>yes</p>").text, "yes");
  EXPECT_EQ(parse_markup("").text, "");
}

TEST(MarkupTest, TextThatIsNoMarkup) {
  for (const char* line : {"a < b", "a<b", "x <- y", "1<2 and 3>2", "<3", "if a <b then", "a & b", "AT&T", "&;", "<"}) {
    const MarkedText text = parse_markup(line);
    EXPECT_EQ(text.text, line);
    EXPECT_THAT(text.nodes, IsEmpty()) << line;
  }
  EXPECT_EQ(placed("a < b & c", "a < b & c", {0, 1, 2, 3, 4}), "a &lt; b &amp; c");
  EXPECT_EQ(parse_markup(">>deu<< the <b>end</b>").text, ">>deu<< the end");
}

TEST(MarkupTest, Entities) {
  EXPECT_EQ(parse_markup("Tom &amp; Jerry &lt;3").text, "Tom & Jerry <3");
  EXPECT_EQ(parse_markup("f&uuml;r &#8364;5 &#x20ac;6 &euro;7 &szlig;&yuml;&Agrave;&nbsp;").text,
            "für €5 €6 €7 ßÿÀ\u00a0");
  EXPECT_EQ(placed("Tom &amp; Jerry", "Tom & Jerry", {0, 1, 2}), "Tom &amp; Jerry");
  // What is not known, or would break the line, stays as it is written.
  EXPECT_EQ(placed("a &unknown; b", "x y", {0, 1}), "x &unknown; y");
  EXPECT_EQ(placed("a &#10; b", "x y", {0, 1}), "x &#10; y");
  EXPECT_EQ(placed("a &#xD800; b", "x y", {0, 1}), "x &#xD800; y");
}

TEST(MarkupTest, ElementsSurroundTheirWords) {
  EXPECT_EQ(placed("the <b>red</b> house", "la maison rouge", {0, 2, 1}), "la maison <b>rouge</b>");
  EXPECT_EQ(placed("click <a href=\"x?a=1&b=2\">here</a>.", "klicken Sie hier.", {0, 0, 1, 2}),
            "klicken Sie <a href=\"x?a=1&b=2\">hier</a>.");
  EXPECT_EQ(placed("<p>all of it.</p>", "alles davon.", {0, -1, -1}), "<p>alles davon.</p>");
  EXPECT_EQ(placed("<i>all <b>of</b> it</i> now", "jetzt alles davon", {3, 0, 1}), "jetzt <i>alles <b>davon</b></i>");
  EXPECT_EQ(placed("<b>one</b><i>two</i>", "eins zwei", {0, 0}), "<b>eins zwei</b><i></i>");
}

// A word that was aligned by mistake, far from the others, does not stretch an element over what is between.
TEST(MarkupTest, OneStrayWord) {
  EXPECT_EQ(placed("a <b>c d</b> e f g", "A C D E F G", {1, 1, 2, 3, 4, 5}), "<b>A C D</b> E F G");
  EXPECT_EQ(placed("a <b>c d</b> e f g", "A C D E F G H", {0, 1, 2, 3, 4, 5, 1}), "A <b>C D</b> E F G H");
}

TEST(MarkupTest, PointsStayBesideTheirWord) {
  EXPECT_EQ(placed("one <br/> two", "eins zwei", {0, 1}), "eins <br/> zwei");
  EXPECT_EQ(placed("one<br/>two", "eins zwei", {0, 1}), "eins<br/> zwei");
  EXPECT_EQ(placed("red<sup/> house", "maison rouge", {1, 0}), "maison rouge<sup/>");
  EXPECT_EQ(placed("red <img src='a'/>house", "maison rouge", {1, 0}), "<img src='a'/>maison rouge");
  EXPECT_EQ(placed("<img/>one two", "zwei eins", {1, 0}), "<img/>zwei eins");
  EXPECT_EQ(placed("one two <br>", "zwei eins", {1, 0}), "zwei eins <br>");
  EXPECT_EQ(placed("one <a id=\"x\"></a> two", "eins zwei", {0, 1}), "eins <a id=\"x\"></a> zwei");
  EXPECT_EQ(placed("a <b>x<br/></b>y", "A X Y", {0, 1, -1}), "A <b>X<br/></b> Y");
}

TEST(MarkupTest, NothingToTranslate) {
  EXPECT_EQ(placed("<br/>", "", {}), "<br/>");
  EXPECT_EQ(placed("<b><i></i></b> <hr>", "", {}), "<b><i></i></b><hr>");
  EXPECT_EQ(placed("a <b>bold</b> word", "", {}), "<b></b>");
}

TEST(MarkupTest, TagsThatDoNotNest) {
  EXPECT_THAT(parse_markup("a <b>c <i>d</b> e</i> f").unmatched, ElementsAre("<i>", "</i>"));
  EXPECT_THAT(parse_markup("a </b> <c>").unmatched, ElementsAre("</b>", "<c>"));
  EXPECT_THAT(parse_markup("a <br> <img src=x> <B>b</b>").unmatched, IsEmpty());
  EXPECT_EQ(placed("a <b>c <i>d</b> e</i> f", "A C D E F", {0, 1, 2, 3, 4}), "A <b>C <i>D</b> E</i> F");
  EXPECT_EQ(placed("a <b>c", "C A", {1, 0}), "<b>C A");
  EXPECT_EQ(placed("a b</b> c", "C A B", {2, 0, 1}), "C A B</b>");
}

TEST(MarkupTest, TextsWithoutSpaces) {
  // Each ideograph of the target is a word: tokens of one character.
  const MarkedText source = parse_markup("a <b>cat</b>");
  const std::string target = "一只猫";
  const std::vector<AlignedToken> tokens = {{0, 3, true, 0, 1}, {3, 6, true, 0, 1}, {6, 9, true, 2, 5}};
  EXPECT_EQ(place_markup(source, target, tokens), "一只<b>猫</b>");
  // Tokens of a word of letters stay together.
  EXPECT_EQ(place_markup(source, "a Katze", std::vector<AlignedToken>{{0, 1, true, 0, 1}, {2, 5, true, 2, 5}, {5, 7}}),
            "a <b>Katze</b>");
}

TEST(MarkupTest, DeepAndMany) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  deep += "x";
  for (int i = 0; i < 100'000; ++i) deep += "</a>";
  const std::string result = placed(deep, "y", {0});
  EXPECT_EQ(result.size(), deep.size());
  std::string many;
  for (int i = 0; i < 200'000; ++i) many += "<br/>&nothing;<!";
  EXPECT_THAT(parse_markup(many).nodes, SizeIs(400'000));
}

// Each tag of a text in which it has a name of its own, with the element that it is in; what does not nest as "?".
std::map<std::string, std::string> parents_of(const std::string& text) {
  std::map<std::string, std::string> parents;
  std::vector<std::string> open{""};
  for (size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
    const std::string tag = text.substr(at, text.find('>', at) + 1 - at);
    if (tag[1] == '/') {
      const std::string opening = "<" + tag.substr(2);
      parents[tag] = opening == open.back() ? "" : "?";
      if (open.size() > 1) open.pop_back();
      continue;
    }
    parents[tag] = parents.contains(tag) ? "twice" : open.back();
    if (tag[tag.size() - 2] != '/') open.push_back(tag);
  }
  return parents;
}

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

// Whatever the alignment is, every tag is there once, in the same element, and the text is the translation.
TEST(MarkupTest, NothingIsLost) {
  Generator random({7, 0});
  for (int trial = 0; trial < 3000; ++trial) {
    std::string line, target;
    std::vector<std::string> open;
    const auto count = 1 + random.below(14);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string name = "t" + std::to_string(i);
      switch (random.below(5)) {
        case 0:
          line += "<" + name + ">w" + std::to_string(i);
          open.push_back(name);
          break;
        case 1:
          if (open.empty()) break;
          line += "</" + open.back() + ">";
          open.pop_back();
          break;
        case 2: line += "<" + name + "/>"; break;
        case 3: line += " "; break;
        default: line += " v" + std::to_string(i) + ".";
      }
    }
    for (; !open.empty(); open.pop_back()) line += "</" + open.back() + ">";
    const MarkedText source = parse_markup(line);
    const auto words = static_cast<int>(word_tokens(source.text).size());
    std::vector<int> links;
    for (uint64_t i = random.below(8); i > 0; --i) {
      target += (target.empty() ? "x" : " x") + std::to_string(i);
      links.push_back(static_cast<int>(random.below(static_cast<uint64_t>(words) + 1)) - 1);
    }
    const std::string result = placed(line, target, links);
    EXPECT_EQ(parents_of(result), parents_of(line)) << line << "\n" << result;
    EXPECT_EQ(without_spaces(parse_markup(result).text), without_spaces(target)) << line << "\n" << result;
  }
}

}  // namespace
}  // namespace roformer::test
