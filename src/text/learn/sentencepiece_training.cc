#include "text/learn/sentencepiece_training.h"

#include "base/error.h"
#include "text/learn/sentencepiece_learner.h"
#include "text/sentencepiece/tokenizer.h"

namespace roformer {

std::unique_ptr<Tokenizer> train_sentencepiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                               SentencePieceModel::Kind kind, ThreadPool& pool) {
  const SpecialTokens specials;
  const SentencePieceLearning learning{.kind = kind,
                                       .vocab_size = options.vocab_size,
                                       .specials = specials.all().size(),
                                       .normalization = options.lowercase ? "nfkc_cf" : "identity",
                                       .pieces = {{"pad_id", "0"},
                                                  {"unk_id", "1"},
                                                  {"bos_id", "2"},
                                                  {"eos_id", "3"},
                                                  {"pad_piece", specials.pad},
                                                  {"unk_piece", specials.unk},
                                                  {"bos_piece", specials.cls},
                                                  {"eos_piece", specials.sep},
                                                  {"control_symbols", specials.mask}}};
  std::string file = learn_sentencepiece(count_spaced_words(paths, kMaxWordBytes, pool), learning,
                                         paths.empty() ? FilePath("", "input") : FilePath(paths[0]));
  SentencePieceModel model = parse_sentencepiece_model(file, "learned model");
  Vocabulary vocabulary(model.pieces, "learned model");
  SentencePieceSettings settings;
  settings.mask_takes_space = true;
  return std::make_unique<SentencePieceTokenizer>(std::move(model), SentencePieceFile{.content = std::move(file)},
                                                  std::move(vocabulary), std::move(settings), "learned model");
}

}  // namespace roformer
