#include "text/learn/translation_training.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/learn/sentencepiece_learner.h"
#include "text/sentencepiece/marian_tokenizer.h"

namespace roformer {

namespace {

constexpr const char* kEndToken = "</s>";
constexpr const char* kUnknownToken = "<unk>";
constexpr const char* kPadToken = "<pad>";

std::string learn_model(WordCounts words, const TranslationTokenizerTraining& options, const char* where) {
  // All three are pieces of the model, so that none is learned a second time.
  const SentencePieceLearning learning{.kind = options.kind,
                                       .vocab_size = options.vocab_size,
                                       .specials = 3,
                                       .byte_fallback = options.byte_fallback,
                                       .remove_extra_whitespaces = true,
                                       .normalization = options.lowercase ? "nmt_nfkc_cf" : "nmt_nfkc",
                                       .pieces = {{"unk_id", "0"},
                                                  {"eos_id", "1"},
                                                  {"pad_id", "2"},
                                                  {"bos_id", "-1"},
                                                  {"unk_piece", kUnknownToken},
                                                  {"eos_piece", kEndToken},
                                                  {"pad_piece", kPadToken}}};
  return learn_sentencepiece(std::move(words), learning, FilePath("", where));
}

// vocab.json of a model's pieces.
std::string number_pieces(const std::string& file, bool pad_last) {
  const SentencePieceModel model = parse_sentencepiece_model(file, "learned model");
  nlohmann::ordered_json::object_t ids;
  const auto add = [&](const std::string& piece) { ids.push_back({piece, ids.size()}); };
  add(kEndToken);
  add(kUnknownToken);
  if (!pad_last) add(kPadToken);
  for (const std::string& piece : model.pieces) {
    if (piece != kEndToken && piece != kUnknownToken && piece != kPadToken) add(piece);
  }
  if (pad_last) add(kPadToken);
  return nlohmann::ordered_json(std::move(ids)).dump(2) + "\n";
}

}  // namespace

TranslationTokenizers learn_translation_tokenizers(WordCounts source, WordCounts target,
                                                   const TranslationTokenizerTraining& options) {
  MarianFiles files;
  if (options.joint) {
    for (const auto& [word, count] : target) source[word] += count;
    files.source_model = files.target_model = learn_model(std::move(source), options, "text of both languages");
    files.vocabulary = number_pieces(files.source_model, /*pad_last=*/true);
  } else {
    files.source_model = learn_model(std::move(source), options, "text of the source language");
    files.target_model = learn_model(std::move(target), options, "text of the target language");
    files.vocabulary = number_pieces(files.source_model, /*pad_last=*/false);
    files.target_vocabulary = number_pieces(files.target_model, /*pad_last=*/false);
  }
  // No added tokens; without this, files beside tokenizer_config.json might name some.
  Json config = {{"added_tokens_decoder", Json::object()}};
  if (options.languages) {
    config["source_lang"] = options.languages->source;
    config["target_lang"] = options.languages->target;
  }
  return make_translation_tokenizers(std::move(files), JsonObject(std::move(config), "learned tokenizers"),
                                     "learned tokenizers");
}

}  // namespace roformer
