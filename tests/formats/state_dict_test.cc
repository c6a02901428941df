#include "formats/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "formats/safetensors.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
Tensor tensor_of(Shape shape, T value) {
  Tensor tensor = Tensor::allocate(shape, dtype_of<T>::value);
  for (int64_t i = 0; i < tensor.elements(); ++i) tensor.data<T>()[i] = value + static_cast<T>(i);
  return tensor;
}

std::string error_of(const StateDict& source, const std::vector<std::pair<std::string, Tensor>>& targets) {
  try {
    copy_into(source, "model.safetensors", targets, copy_tensor);
  } catch (const DataError& error) {
    return error.what();
  }
  return "none";
}

TEST(MatchesPattern, StarsStandForAnyText) {
  EXPECT_TRUE(matches_pattern("a.b.c", "a.b.c"));
  EXPECT_FALSE(matches_pattern("a.b.c", "a.b"));
  EXPECT_TRUE(matches_pattern("a.b.c", "a.*"));
  EXPECT_TRUE(matches_pattern("a.b.c", "*.c"));
  EXPECT_TRUE(matches_pattern("a.b.b.c", "*b.c"));
  EXPECT_FALSE(matches_pattern("a.b.c", "*.b"));
  EXPECT_TRUE(matches_pattern("", "*"));
  EXPECT_FALSE(matches_pattern("", "a"));
  EXPECT_TRUE(matches_pattern("layer.11.weight", "layer.*.weight"));
  EXPECT_FALSE(matches_pattern(std::string(2000, 'a'), "*a*a*a*a*a*a*b"));
}

TEST(CopyInto, CopiesConvertsAndFillsStridedTargets) {
  const StateDict source = {{"f", tensor_of<float>({2, 2}, 1)},
                            {"d", tensor_of<double>({2}, 0.5)},
                            {"g", tensor_of<float>({1}, 9)},
                            {"i", tensor_of<int64_t>({2}, 3)},
                            {"e", tensor_of<float>({0, 3}, 0)}};
  const Tensor wide = tensor_of<float>({2, 5}, 100), d = tensor_of<float>({2}, 0), g = tensor_of<double>({1}, 0),
               i = tensor_of<int64_t>({2}, 0), e = tensor_of<float>({0, 3}, 0);
  copy_into(source, "file", {{"f", wide.column_range(1, 2)}, {"d", d}, {"g", g}, {"i", i}, {"e", e}}, copy_tensor);
  EXPECT_THAT(std::vector<float>(wide.data<float>(), wide.data<float>() + 10),
              ElementsAre(100, 1, 2, 103, 104, 105, 3, 4, 108, 109));
  EXPECT_EQ(d.data<float>()[1], 1.5f);
  EXPECT_EQ(g.data<double>()[0], 9.0);
  EXPECT_EQ(i.data<int64_t>()[1], 4);
}

TEST(CopyInto, ReportsEverythingAtOnceAndCopiesNothing) {
  const StateDict source = {{"good", tensor_of<float>({1}, 5)},
                            {"shape", tensor_of<float>({2, 3}, 1)},
                            {"type", tensor_of<int64_t>({1}, 1)},
                            {"extra", tensor_of<float>({4}, 1)}};
  const Tensor good = tensor_of<float>({1}, 0);
  const std::string message = error_of(source, {{"good", good},
                                                {"shape", tensor_of<float>({3, 2}, 0)},
                                                {"type", tensor_of<float>({1}, 0)},
                                                {"absent", tensor_of<float>({7}, 0)}});
  EXPECT_EQ(message,
            "'model.safetensors' does not fit the model: 4 problems\n"
            "  wrong: \"shape\" has the shape [2, 3], expected [3, 2]\n"
            "  wrong: \"type\" is int64, expected float32\n"
            "  missing: \"absent\" [7]\n"
            "  extra: \"extra\" [4]");
  EXPECT_EQ(good.data<float>()[0], 0);
}

TEST(CopyInto, ShortensALongList) {
  StateDict source;
  for (int i = 0; i < 25; ++i) source[fmt::format("x{}", i)] = tensor_of<float>({1}, 0);
  const std::string message = error_of(source, {});
  EXPECT_THAT(message, HasSubstr("25 problems\n"));
  EXPECT_THAT(message, HasSubstr("\n  and 5 more"));
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 21);
}

TEST(LoadStateDict, LoadsAllTensors) {
  TempDirectory directory;
  write_safetensors(directory / "f", {{"a", tensor_of<float>({2}, 1)}, {"b.c", tensor_of<double>({1}, 2)}});
  const StateDict all = load_state_dict(directory / "f");
  EXPECT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at("a").data<float>()[1], 2);
  EXPECT_THROW(load_state_dict(directory / "absent"), FileError);
}

}  // namespace
}  // namespace roformer
