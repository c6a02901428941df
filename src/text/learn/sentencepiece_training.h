// Learns the SentencePiece tokenizer of a language model from text files (text/learn/sentencepiece_learner.h).
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/parallel.h"
#include "text/learn/train.h"
#include "text/sentencepiece/model.h"
#include "text/tokenizer.h"

namespace roformer {

// Ids: [PAD]=0 [UNK] [CLS] [SEP] [MASK], the 256 bytes, then pieces. No normalization (`lowercase`: NFKC and case
// folding, the library's nfkc_cf), white space is preserved, with byte fallback, so that decoding is exact except that
// U+2581 becomes a space. All characters get a piece if they take at most half of the vocabulary, else the most
// frequent ones that make up 99.95% of the text. `min_frequency` and `limit_alphabet` are not used. The result depends
// on the files' content and the options only, and has fewer pieces than requested if the text has no more. UsageError
// with the minimum if the size cannot hold specials, bytes and characters; DataError if there are no words.
std::unique_ptr<Tokenizer> train_sentencepiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                               SentencePieceModel::Kind kind, ThreadPool& pool);

}  // namespace roformer
