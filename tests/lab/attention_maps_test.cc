#include "lab/attention_maps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "lab/attention_scores.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::Not;

class AttentionMapsTest : public testing::TestWithParam<const char*> {
 protected:
  ModelConfig config(const std::string& position) const {
    ModelConfig result;
    result.vocabulary = tokenizer_->vocabulary_size();
    result.hidden = result.embedding = 16;
    result.layers = 2;
    result.heads = 2;
    result.intermediate = 12;
    result.max_positions = 150;
    result.initializer_range = 0.6;
    result.position = parse_position(position);
    complete(result, "");
    return result;
  }
  Model model(const std::string& position = "rotary") {
    Model result(*backend_, config(position), false);
    result.initialize({1, 0});
    return result;
  }
  Tensor random(int64_t rows, int64_t columns, uint64_t seed) {
    Generator generator({seed, 0});
    const Tensor x = backend_->empty({rows, columns});
    for (int64_t i = 0; i < rows * columns; ++i) x.data<float>()[i] = static_cast<float>(generator.normal());
    return x;
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

// With every term that an encoding may bring, softmax(at) · v is what the kernel computes.
TEST_F(AttentionMapsTest, ScoresAreThoseOfTheKernel) {
  const int64_t tokens = 7, heads = 2, hidden = 6;
  const std::vector<int32_t> offsets = {0, tokens}, positions = {0, 1, 2, 5, 6, 9, 3};
  AttentionSpec spec{.heads = heads, .scale = 0.4, .query_offsets = offsets, .key_offsets = offsets};
  const AttentionTensors in{random(tokens, hidden, 1), random(tokens, hidden, 2), random(tokens, hidden, 3)};
  const std::vector<int32_t> limits = {1, 2, 7, 3, 5, 6, 4}, begins = {0, 1, 3, 0, 2, 1, 3};
  for (const int terms : {0, 1, 2, 4, 7, 8, 15, 16 + 6}) {
    SCOPED_TRACE(terms);
    spec.key_ends = (terms & 8) != 0 ? limits : std::span<const int32_t>();
    spec.key_starts = terms == 15 ? begins : std::span<const int32_t>();
    spec.score_cap = (terms & 4) != 0 ? 1.5 : 0;
    spec.terms = RelativeTerms();
    const int64_t columns = (terms & 16) != 0 ? hidden / heads : hidden;  // heads may share tables
    spec.terms.clip = 2;
    spec.terms.query_positions = spec.terms.key_positions = positions;
    if ((terms & 1) != 0) spec.terms.bias = random(5, heads, 4);
    if ((terms & 2) != 0) spec.terms.query_table = random(5, columns, 5);
    if ((terms & 4) != 0) spec.terms.key_table = random(5, columns, 6);
    const Tensor out = backend_->empty({tokens, hidden}), log_sum_exp = backend_->empty({heads, tokens});
    backend_->attention(spec, in, out, log_sum_exp);
    const AttentionScores scores(*backend_, spec, in);
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < tokens; ++i) {
        double sum = 0;
        std::vector<double> mixed(3);
        for (int64_t j = scores.seen(i).first; j < scores.seen(i).end; ++j) {
          const double weight = std::exp(scores.at(head, i, j));
          sum += weight;
          for (size_t c = 0; c < 3; ++c) mixed[c] += weight * in.v.row<float>(j)[head * 3 + static_cast<int64_t>(c)];
        }
        EXPECT_NEAR(log_sum_exp.row<float>(head)[i], std::log(sum), 1e-5);
        for (size_t c = 0; c < 3; ++c) {
          EXPECT_NEAR(out.row<float>(i)[head * 3 + static_cast<int64_t>(c)], mixed[c] / sum, 1e-5);
        }
      }
    }
  }
}

TEST_P(AttentionMapsTest, RowsSumToOneAndLookingChangesNothing) {
  const Model m = model(GetParam());
  Batch batch;
  batch.append(tokenizer_->encode("abcab").ids);
  const auto hidden = [&] { return m.trunk().forward({.backend = *backend_}, batch).data; };
  const Tensor before = hidden();
  const AttentionMaps maps = attention_maps(m, *tokenizer_, "abcab");
  const Tensor after = hidden();
  for (int64_t i = 0; i < before.elements(); ++i) EXPECT_EQ(before.data<float>()[i], after.data<float>()[i]);
  EXPECT_EQ(maps.tokens.size(), 7u);
  EXPECT_EQ(maps.tokens[0], "[CLS]");
  ASSERT_EQ(maps.heads.size(), 2u);
  for (const auto& layer : maps.heads) {
    ASSERT_EQ(layer.size(), 2u);
    for (const HeatMap& map : layer) {
      ASSERT_EQ(map.values.size(), 49u);
      for (size_t i = 0; i < 7; ++i) {
        EXPECT_NEAR(std::accumulate(map.values.begin() + 7 * i, map.values.begin() + 7 * (i + 1), 0.0), 1, 1e-6);
      }
    }
  }
  EXPECT_NE(maps.heads[0][0].values, maps.heads[1][0].values);
}

INSTANTIATE_TEST_SUITE_P(, AttentionMapsTest, testing::Values("rotary", "sinusoidal", "learned", "none"),
                         [](const auto& position) { return std::string(position.param); });

// Without positions equal tokens look alike, with rotary ones they do not.
TEST_F(AttentionMapsTest, PositionsShow) {
  const auto rows_equal = [&](const std::string& position) {
    const HeatMap map = attention_maps(model(position), *tokenizer_, "aba").heads[0][0];
    for (size_t j = 0; j < 5; ++j) {
      if (std::abs(map.values[5 + j] - map.values[15 + j]) > 1e-6f) return false;
    }
    return true;
  };
  EXPECT_TRUE(rows_equal("none"));
  EXPECT_FALSE(rows_equal("rotary"));
}

TEST_F(AttentionMapsTest, LongTextsAreRefused) {
  EXPECT_EQ(attention_maps(model(), *tokenizer_, std::string(kMaxMapTokens - 2, 'a')).tokens.size(), 128u);
  EXPECT_THROW(attention_maps(model(), *tokenizer_, std::string(kMaxMapTokens - 1, 'a')), DataError);
}

// A text of one token over and over: every query and key of the first layer is the same before rotation, so that the
// measured scores are exactly those of the means, and every pair at a distance has one score.
TEST_F(AttentionMapsTest, MeasuredScoresOfEqualTokensAreThoseOfTheirMeans) {
  ModelConfig one = config("rotary");
  one.layers = 1;
  Model m(*backend_, one, false);
  m.initialize({1, 0});
  for (const NamedParameter& named : m.parameters()) {
    if (named.name != "roformer.embeddings.word_embeddings.weight") continue;
    for (int64_t i = 1; i < named.parameter.value.rows(); ++i) {
      for (int64_t c = 0; c < 16; ++c) named.parameter.value.row<float>(i)[c] = named.parameter.value.row<float>(0)[c];
    }
  }
  ScoresByDistance scores(m, *tokenizer_);
  scores.add(std::string(20, 'a'));
  scores.add("bc");
  EXPECT_EQ(scores.texts(), 2);
  EXPECT_EQ(scores.tokens(), 26);
  const auto measured = scores.measured(), of_means = scores.of_means();
  ASSERT_EQ(measured.size(), 1u);
  ASSERT_EQ(of_means.size(), 1u);
  EXPECT_EQ(measured[0].points.size(), 43u);  // −21 … 21
  EXPECT_EQ(of_means[0].points.size(), 257u);
  for (const PlotPoint& point : measured[0].points) {
    const PlotPoint& mean = of_means[0].points[static_cast<size_t>(point.x + 128)];
    EXPECT_EQ(mean.x, point.x);
    EXPECT_NEAR(mean.y, point.y, 1e-4);
  }
  EXPECT_GT(std::abs(of_means[0].points[0].y - of_means[0].points[128].y), 1e-3);
}

TEST_F(AttentionMapsTest, LongTextsAreCutForTheScores) {
  const Model learned = model("learned");
  ScoresByDistance scores(learned, *tokenizer_);
  scores.add(std::string(1000, 'a'));
  EXPECT_EQ(scores.shortened(), 1);
  EXPECT_EQ(scores.tokens(), 150);
  EXPECT_TRUE(scores.of_means().empty());
  EXPECT_EQ(scores.measured()[0].points.size(), 257u);
  const Model rotary = model();
  ScoresByDistance longer(rotary, *tokenizer_);
  longer.add(std::string(1000, 'a'));
  EXPECT_EQ(longer.tokens(), ScoresByDistance::kMaxTokens);
}

TEST_F(AttentionMapsTest, ThePageNamesTokensLayersAndHeads) {
  HtmlPage page("t");
  AttentionMaps maps = attention_maps(model(), *tokenizer_, "ab");
  maps.tokens[1] = "<";
  maps.tokens[2] = "&";
  add_attention_maps(page, maps);
  const Model m = model();
  ScoresByDistance scores(m, *tokenizer_);
  scores.add("abc");
  add_scores_by_distance(page, scores);
  const std::string html = page.finish();
  for (const char* text : {"layer 1, head 1", "[CLS]", "&lt;", "&amp;", "Measured", "rotated apart", "image/png"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
  EXPECT_THAT(html, Not(HasSubstr("<<")));
}

}  // namespace
}  // namespace roformer
