#include <nlohmann/json.hpp>

#include "lab/varied_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

std::vector<std::string> names(const std::vector<VariedSettings>& rows) {
  std::vector<std::string> result;
  for (const VariedSettings& row : rows) result.push_back(row.name);
  return result;
}

TEST(VariedSettings, SweepsAreMultiplied) {
  EXPECT_THAT(names(sweep_product({})), ElementsAre(""));
  EXPECT_THAT(names(sweep_product({"learning-rate=1e-3,2e-3", "layers=1,2"})),
              ElementsAre("learning-rate=1e-3 layers=1", "learning-rate=1e-3 layers=2", "learning-rate=2e-3 layers=1",
                          "learning-rate=2e-3 layers=2"));
  EXPECT_THAT(names(sweep_product({"config=a/b/one.json"})), ElementsAre("config=one.json"));
}

TEST(VariedSettings, AVariantIsItsNameOrItsSettings) {
  const VariedSettings wide = parse_variant(" name=wide  hidden_size=64 attention=softmax,linear-elu");
  EXPECT_EQ(wide.name, "wide");
  ASSERT_EQ(wide.settings.size(), 2u);
  EXPECT_EQ(wide.settings[0].name, "hidden-size");
  EXPECT_EQ(parse_variant("layers=2 attention=softmax,linear-elu").name, "layers=2 attention=softmax+linear-elu");
  EXPECT_THAT(parse_variant("name=base").settings, IsEmpty());
}

TEST(VariedSettings, SetWhatTheySay) {
  PretrainOptions options;
  const auto variant =
      parse_variant("learning-rate=2e-3 layers=3 whole-word=true attention=softmax,linear-elu,softmax rotary-base=500");
  apply_settings(variant.settings, options);
  EXPECT_EQ(options.schedule.learning_rate, 2e-3);
  EXPECT_EQ(options.shape.layers, 3);
  EXPECT_TRUE(options.whole_word);
  EXPECT_EQ(options.shape.position_options.rotary_base, 500);
  EXPECT_EQ(settings_json(variant.settings, options), Json({{"learning-rate", 2e-3},
                                                            {"layers", 3},
                                                            {"rotary-base", 500.0},
                                                            {"whole-word", true},
                                                            {"attention", {"softmax", "linear-elu", "softmax"}}}));
}

TEST(VariedSettings, RefuseWhatIsNone) {
  const auto refused = [](const std::string& text, const char* part) {
    EXPECT_THAT(
        [&] {
          PretrainOptions options;
          apply_settings(parse_variant(text).settings, options);
        },
        ThrowsMessage<UsageError>(HasSubstr(part)))
        << text;
  };
  refused("", "name=NAME");
  refused("layers", "name=NAME");
  refused("layers=", "name=NAME");
  refused("layers=1 layers=2", "layers twice");
  refused("name=a name=b", "name twice");
  refused("name=a/b", "characters other than");
  refused("name=..", "characters other than");
  refused("seed=3", "seeds");
  refused("output=x", "output");
  refused("layer=3", "no setting \"layer\"");
  refused("layers=many", "layers: expected an integer from 0 to 1000, got \"many\"");
  EXPECT_THAT([] { parse_sweep("layers=1,,2"); }, ThrowsMessage<UsageError>(HasSubstr("empty value")));
  EXPECT_THAT([] { parse_sweep("layers=1,1"); }, ThrowsMessage<UsageError>(HasSubstr("layers has 1 twice")));
  EXPECT_THAT([] { sweep_product({"layers=1,2", "layers=3"}); }, ThrowsMessage<UsageError>(HasSubstr("twice")));
}

TEST(VariedSettings, NamesAreSafeInPaths) {
  EXPECT_TRUE(is_variant_name("rotary+linear-elu learning-rate=1e-3"));
  EXPECT_TRUE(is_variant_name("宽"));
  for (const std::string name : {"", "../x", ".x", "-x", "a/b", "a\nb", "a,b"})
    EXPECT_FALSE(is_variant_name(name)) << name;
  EXPECT_FALSE(is_variant_name(std::string(201, 'a')));
  EXPECT_EQ(variant_file_name("rotary learning-rate=1e-3"), "rotary+learning-rate-1e-3");
}

}  // namespace
}  // namespace roformer
