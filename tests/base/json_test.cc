#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

std::string error_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "f.json", limits);
  } catch (const DataError& error) {
    return error.what();
  }
  return "none";
}

TEST(ParseJson, ReadsEveryKindOfValue) {
  const char* text = R"( {"a": [1, -2, 0.5, 1e3, true, false, null, "\u00e9\n"], "b": {"c": {}, "d": []}, "": 0} )";
  EXPECT_EQ(parse_json(text, "f"), Json::parse(text));
  EXPECT_EQ(parse_json("[[1],[2,[3]]]", "f").dump(), "[[1],[2,[3]]]");
  EXPECT_EQ(parse_json("7", "f"), 7);
  EXPECT_EQ(parse_json("18446744073709551615", "f").get<uint64_t>(), UINT64_MAX);
}

TEST(ParseJson, NamesFileLineAndColumn) {
  EXPECT_THAT(error_of("{\n \"a\": 1,\n \"b\" 2}"), StartsWith("f.json: line 3, column 6: "));
  EXPECT_THAT(error_of("{\n \"a\": 1,\n \"a\": 2}"),
              StartsWith("f.json: line 3, column 4: the key \"a\" appears twice"));
  EXPECT_THAT(error_of(""), StartsWith("f.json: line 1, column 1: "));
  EXPECT_THAT(error_of(std::string_view("{}\n\0x", 5)), StartsWith("f.json: line 2, column 1: a zero byte"));
  EXPECT_THAT(error_of("{\"a\": tru}"), StartsWith("f.json: line 1, column 10: "));
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text : {"{", "[1,]", "{\"a\":}", "nan", "[1] [2]", "{'a':1}", "01", "\"\\ud800\"", "\"a", "// c\n1",
                           "\xff", "\"\xc3\x28\"", "\"\xed\xa0\x80\"", "\"a\nb\"", "1e999", "{1:2}", "[", "]"}) {
    const std::string message = error_of(text);
    EXPECT_THAT(message, StartsWith("f.json: line ")) << text;
    EXPECT_EQ(message.find_first_of("\n\r\x1b\xff"), std::string::npos) << message;
  }
}

TEST(ParseJson, DepthAndSizeAreLimited) {
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("column 101: nested deeper than 100 levels"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(error_of(objects), HasSubstr("nested deeper"));
  EXPECT_EQ(error_of(std::string(100, '[') + std::string(100, ']')), "none");
  EXPECT_THAT(error_of("[1,2,3,4]", {.values = 4}), HasSubstr("more than 4 values"));
  EXPECT_EQ(error_of("[1,2,3]", {.values = 4}), "none");
}

TEST(ParseJson, TheSameKeyInTwoObjectsIsFine) {
  EXPECT_EQ(error_of(R"([{"a":1},{"a":{"a":2}}])"), "none");
  EXPECT_THAT(error_of(R"({"a":1,"b":{"a":1},"\u0061":2})"), HasSubstr("\"a\" appears twice"));
}

TEST(Quote, MakesUntrustedTextHarmless) {
  EXPECT_EQ(quote("a\x1b[2J\n"), "\"a\\u001b[2J\\n\"");
  EXPECT_EQ(quote(std::string(50, 'x') + "\xff", 200), "\"" + std::string(50, 'x') + "\xef\xbf\xbd\"");
  EXPECT_EQ(quote("ab\xc3\xa9", 3), "\"ab...\"");
}

TEST(ShowJson, CutsBetweenCharacters) {
  EXPECT_EQ(show_json(Json{{"a", {1, "b"}}}), R"({"a":[1,"b"]})");
  const auto text = [](size_t count, std::string_view end) { return Json(std::string(count, 'x').append(end)); };
  const auto shown = [](size_t count) { return std::string(1, '"').append(count, 'x').append("..."); };
  EXPECT_EQ(show_json(text(200, "")), shown(99));
  EXPECT_EQ(show_json(text(99, "\xc3\xa9 and more")), shown(99));
  EXPECT_EQ(show_json(text(98, "\xc3\xa9 and more")), shown(98));
}

const JsonObject kConfig(Json::parse(R"({"n": 12, "x": 1e-5, "t": true, "s": "relu", "l": ["a", "b"], "o": {"n": "bad"},
                                        "null": null, "big": 18446744073709551615, "float": 2.0})"),
                         "config.json");

TEST(JsonObject, GivesValuesAndFallbacks) {
  EXPECT_EQ(kConfig.get_int("n", 3), 12);
  EXPECT_EQ(kConfig.get_int("absent", 3), 3);
  EXPECT_EQ(kConfig.get_int("null", 3), 3);
  EXPECT_EQ(kConfig.get_double("x", {}), 1e-5);
  EXPECT_EQ(kConfig.get_double("n", {}), 12.0);
  EXPECT_TRUE(kConfig.get_bool("t", false));
  EXPECT_EQ(kConfig.get_string("s", "gelu"), "relu");
  EXPECT_THAT(kConfig.get_strings("l", {}), testing::ElementsAre("a", "b"));
  EXPECT_FALSE(kConfig.get_object("absent").has("n"));
}

TEST(JsonObject, NamesFileKeyFoundAndExpected) {
  const auto message = [](const auto& get) {
    try {
      get();
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(message([] { kConfig.get_int("n", {}, 1, 8); }), "config.json: 'n' is 12, expected an integer from 1 to 8");
  EXPECT_EQ(message([] { kConfig.get_int("n", {}, 13); }),
            "config.json: 'n' is 12, expected an integer of at least 13");
  EXPECT_EQ(message([] { kConfig.get_int("s", 1); }), "config.json: 's' is \"relu\", expected an integer");
  EXPECT_EQ(message([] { kConfig.get_int("float", 1); }), "config.json: 'float' is 2.0, expected an integer");
  EXPECT_EQ(message([] { kConfig.get_int("big", 1); }),
            "config.json: 'big' is 18446744073709551615, expected an integer");
  EXPECT_EQ(message([] { kConfig.get_int("absent", {}); }), "config.json: 'absent' is missing, expected an integer");
  EXPECT_EQ(message([] { kConfig.get_double("x", {}, 0.5, 1); }),
            "config.json: 'x' is 1e-05, expected a number from 0.5 to 1");
  EXPECT_EQ(message([] { kConfig.get_bool("n", true); }), "config.json: 'n' is 12, expected true or false");
  EXPECT_EQ(message([] { kConfig.get_string("l", ""); }), "config.json: 'l' is [\"a\",\"b\"], expected a string");
  EXPECT_EQ(message([] { kConfig.get_strings("s", {}); }), "config.json: 's' is \"relu\", expected a list of strings");
  EXPECT_EQ(message([] { kConfig.get_object("o").get_int("n", 1); }),
            "config.json: 'o': 'n' is \"bad\", expected an integer");
  EXPECT_EQ(message([] { kConfig.get_object("n"); }), "config.json: 'n' is 12, expected an object");
  EXPECT_EQ(message([] { JsonObject(Json(3), "f"); }), "f: found number, expected an object");
}

TEST(JsonObject, ReadsAFile) {
  TempDirectory directory;
  std::ofstream(directory / "c.json") << "{\"a\": 1}";
  EXPECT_EQ(JsonObject::read(directory / "c.json").get_int("a", {}), 1);
  EXPECT_THAT([&] { JsonObject::read(directory / "c.json", 3); }, ThrowsMessage<FileError>(HasSubstr("larger than 3")));
}

}  // namespace
}  // namespace roformer
