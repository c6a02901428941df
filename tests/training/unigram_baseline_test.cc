#include "training/unigram_baseline.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

class UnigramBaseline : public testing::Test {
 protected:
  std::string run(const std::string& name, double loss) {
    make_directories(temporary_ / name);
    write_unigram_loss(loss, temporary_ / name);
    return temporary_ / name;
  }
  TempDirectory temporary_;
};

TEST_F(UnigramBaseline, TheFirstValueIsKept) {
  const std::string directory = run("a", 5.25);
  EXPECT_EQ(read_unigram_loss(directory), 5.25);
  write_unigram_loss(6, directory);
  EXPECT_EQ(read_unigram_loss(directory), 5.25);
  EXPECT_EQ(read_unigram_loss(run("b", 0)), std::nullopt);  // nothing is predicted
  write_file_atomically(directory + "/unigram.json", "{\"loss\":\"low\"}");
  EXPECT_THROW(read_unigram_loss(directory), DataError);
}

TEST_F(UnigramBaseline, RunsShareALevelOrHaveNone) {
  const std::string a = run("a", 5), b = run("b", 5.04), c = run("c", 5.2), old = run("old", 0);
  ASSERT_EQ(unigram_levels({a, b}).size(), 1u);
  EXPECT_DOUBLE_EQ(unigram_levels({a, b})[0].y, 5.02);
  EXPECT_EQ(unigram_levels({a, b})[0].name, "unigram baseline");
  EXPECT_TRUE(unigram_levels({a, c}).empty());
  EXPECT_TRUE(unigram_levels({a, old}).empty());
  EXPECT_TRUE(unigram_levels({}).empty());
}

}  // namespace
}  // namespace roformer
