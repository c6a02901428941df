#include "text/pipeline/byte_bpe_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/pipeline/bpe_model.h"
#include "text/pipeline/byte_bpe.h"
#include "text/pipeline/byte_letters.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

class ByteBpeModel : public PipelineModel {
 public:
  ByteBpeModel(const std::vector<std::string>& tokens, bool ignores_merges, std::string unknown)
      : bpe_(tokens, ignores_merges), unknown_(std::move(unknown)) {}

  // False if a merge does not join two tokens into a third.
  bool read_merges(const JsonObject& model) {
    if (!model.has("merges") || !model.value()["merges"].is_array()) return false;
    const Json& entries = model.value()["merges"];
    if (entries.size() > kMaxTokens) return false;
    std::vector<ByteBpe::Merge> merges;
    merges.reserve(entries.size());
    for (const Json& entry : entries) {
      const auto [left, right] = read_merge(entry, FilePath(model.source()));
      const auto a = pipeline::letters_to_bytes(left), b = pipeline::letters_to_bytes(right);
      if (!a || !b) return false;
      const ByteBpe::Merge merge{bpe_.find(*a), bpe_.find(*b), bpe_.find(*a + *b)};
      if (merge.left == ByteBpe::kNone || merge.right == ByteBpe::kNone || merge.merged == ByteBpe::kNone) return false;
      merges.push_back(merge);
    }
    bpe_.set_merges(merges);
    return true;
  }
  // `rest` cuts the words with bytes that have no token.
  void set_rest(std::unique_ptr<PipelineModel> rest) { rest_ = std::move(rest); }

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    const std::string bytes = *pipeline::letters_to_bytes(word);
    if (!bpe_.has_bytes_of(bytes)) return rest_->cut(word, pieces);
    size_t place = 0;
    bpe_.cut(bytes, [&](int32_t id, size_t begin, size_t end) {
      const size_t from = place;
      for (; begin < end; ++begin) place += static_cast<size_t>(decode_utf8(word.data() + place).length);
      pieces.push_back({id, from, place});
    });
  }
  std::string_view type() const override { return "bpe"; }
  // Words start with white space.
  bool is_continuation(std::string_view token) const override {
    const auto bytes = pipeline::letters_to_bytes(token);
    constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
    return bytes && !bytes->empty() && kWhiteSpace.find(bytes->front()) == kWhiteSpace.npos;
  }
  const std::string& unknown_token() const override { return unknown_; }
  const ByteBpe* byte_bpe() const override { return &bpe_; }

 private:
  ByteBpe bpe_;
  std::string unknown_;
  std::unique_ptr<PipelineModel> rest_;
};

}  // namespace

std::unique_ptr<PipelineModel> read_byte_bpe_model(const JsonObject& model, const std::vector<std::string>& tokens) {
  const bool marks_words =
      !model.get_string("continuing_subword_prefix", "").empty() || !model.get_string("end_of_word_suffix", "").empty();
  const std::string unknown = model.get_string("unk_token", "");
  const bool knows_unknown = unknown.empty() || std::ranges::find(tokens, unknown) != tokens.end();
  if (marks_words || !knows_unknown || model.get_double("dropout", 0) != 0) return nullptr;
  auto result = std::make_unique<ByteBpeModel>(tokens, model.get_bool("ignore_merges", false), unknown);
  if (!result->read_merges(model)) return nullptr;
  if (!result->byte_bpe()->has_all_bytes()) result->set_rest(read_bpe_model(model, tokens));
  return result;
}

}  // namespace roformer
