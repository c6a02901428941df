#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "inference/fill_mask.h"
#include "tests/inference/tiny_model.h"

namespace roformer {
namespace {

using FillMask = TinyModelTest;

TEST_F(FillMask, GivesEveryTokenItsProbability) {
  const auto masks = fill_mask(model(), *tokenizer_, "a[MASK]b[MASK]", 1000);
  ASSERT_EQ(masks.size(), 2u);
  for (const auto& candidates : masks) {
    ASSERT_EQ(std::ssize(candidates), tokenizer_->vocabulary_size());
    std::set<int32_t> ids;
    double sum = 0;
    double before = 1;
    for (const Candidate& candidate : candidates) {
      ids.insert(candidate.id);
      sum += candidate.score;
      EXPECT_LE(candidate.score, before);
      before = candidate.score;
    }
    EXPECT_EQ(ids.size(), candidates.size());
    EXPECT_NEAR(sum, 1, 1e-9);
  }
  EXPECT_NE(masks[0][0].score, masks[1][0].score);
  EXPECT_EQ(fill_mask(model(), *tokenizer_, "[MASK]", 3)[0].size(), 3u);
}

TEST_F(FillMask, AgreesWithTheLogits) {
  const Model m = model();
  const auto encoding = tokenizer_->encode("a[MASK]b");
  Batch batch;
  batch.append(encoding.ids, encoding.segment_ids);
  const Context context{*backend_, nullptr, {}, false};
  const Value logits = m.mlm_head().logits(context, m.trunk().forward(context, batch), m.trunk().word_embeddings());
  const float* row = logits.data.row<float>(2);  // [CLS] a [MASK]
  const auto best = std::max_element(row, row + m.config().vocabulary) - row;
  EXPECT_EQ(fill_mask(m, *tokenizer_, "a[MASK]b", 1)[0][0].id, best);
}

TEST_F(FillMask, IgnoresIdsBeyondTheTokenizer) {
  const Model m = model(50);
  for (const NamedParameter& named : m.parameters()) {
    if (named.name != "cls.predictions.bias") continue;
    for (int64_t id = 0; id < 50; ++id) named.parameter.value.data<float>()[tokenizer_->vocabulary_size() + id] = 99;
  }
  const auto masks = fill_mask(m, *tokenizer_, "[MASK]", 1000);
  EXPECT_EQ(std::ssize(masks[0]), tokenizer_->vocabulary_size());
  for (const Candidate& candidate : masks[0]) EXPECT_LT(candidate.id, tokenizer_->vocabulary_size());
  EXPECT_LT(masks[0][0].score, 1e-20);  // the other rows take part in the probabilities
}

TEST_F(FillMask, FillsTheTextAsItWasWritten) {
  const auto filled = [](const Tokenizer& tokenizer, const std::string& text, const std::vector<std::string>& tokens) {
    std::vector<int32_t> ids;
    for (const std::string& token : tokens) ids.push_back(tokenizer.id(token).value());
    return filled_text(tokenizer, text, tokenizer.encode(text), ids);
  };
  write_file_atomically(directory_ / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nking\n##s\nwalk\n今\n.\n");
  const auto words = load_tokenizer(directory_.path());
  EXPECT_EQ(filled(*words, "The [MASK],  WALK [MASK].", {"king", "##s"}), "The king,  WALKs.");
  EXPECT_EQ(filled(*words, "[MASK][MASK] ü", {"king", "walk"}), "king walk ü");
  EXPECT_EQ(filled(*words, "天[MASK]天", {"今"}), "天今天");
  EXPECT_EQ(filled(*words, "[MASK]", {"[UNK]"}), "[UNK]");
  const std::string& a = tokenizer_->token(tokenizer_->encode_plain("a").at(0));
  EXPECT_EQ(filled(*tokenizer_, "ü[MASK]b", {a}), "üab");
}

TEST_F(FillMask, NeedsAMaskAndAHead) {
  EXPECT_THROW(fill_mask(model(), *tokenizer_, "abc", 1), DataError);
  EXPECT_THROW(fill_mask(model(0, Head::none), *tokenizer_, "[MASK]", 1), DataError);
}

}  // namespace
}  // namespace roformer
