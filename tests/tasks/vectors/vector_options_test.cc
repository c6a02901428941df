#include "tasks/vectors/vector_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tasks/finetune_options.h"

namespace roformer {
namespace {

TEST(VectorSizes, AreReadWithTheirWeights) {
  const auto sizes = vector_sizes("384,128:0.5,64:2", 384);
  ASSERT_EQ(sizes.size(), 3u);
  EXPECT_EQ(sizes[0].dimensions, 384);
  EXPECT_EQ(sizes[0].weight, 1);
  EXPECT_EQ(sizes[1].weight, 0.5);
  EXPECT_EQ(sizes[2].dimensions, 64);
  const auto all = vector_sizes("", 384);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].dimensions, 0);
}

TEST(VectorSizes, OthersAreRefused) {
  for (const char* wrong : {"0", "385", "64,64", "64,", ",", "x", "64:", "64:0", "64:-1", "64:nan", "64:1x", "6 4"}) {
    EXPECT_THROW(vector_sizes(wrong, 384), UsageError) << wrong;
  }
}

TEST(ScoreRange, IsTwoNumbers) {
  EXPECT_FALSE(parse_score_range("automatic"));
  EXPECT_EQ(parse_score_range("-1:4.5")->low, -1);
  EXPECT_EQ(parse_score_range("-1:4.5")->high, 4.5);
  for (const char* wrong : {"", "5", ":", "5:0", "1:1", "0:inf", "0:5:6", "a:b"}) {
    EXPECT_THROW(parse_score_range(wrong), UsageError) << wrong;
  }
}

TEST(SimilarityOptions, AreRefusedWhereTheyHaveNoEffect) {
  FinetuneOptions options;
  options.model = "model";
  options.train = {"train.tsv"};
  const auto refuses = [&](const char* task) {
    options.task = task;
    try {
      check_settings(options);
    } catch (const UsageError&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refuses("classification"));
  options.vectors.loss = "cosine";
  EXPECT_TRUE(refuses("classification"));
  EXPECT_TRUE(refuses("contrastive"));
  EXPECT_FALSE(refuses("pair-similarity"));
  options.vectors = {};
  options.vectors.hard_negatives = 2;
  EXPECT_TRUE(refuses("pair-similarity"));
  EXPECT_TRUE(refuses("roformer-sim"));
  EXPECT_FALSE(refuses("contrastive"));
  options.vectors = {};
  options.vectors.matryoshka = "8";
  EXPECT_TRUE(refuses("sst-2"));
  EXPECT_FALSE(refuses("pair-similarity"));
  EXPECT_FALSE(refuses("roformer-sim"));
}

}  // namespace
}  // namespace roformer
