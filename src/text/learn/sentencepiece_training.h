// Learns SentencePiece models from text files with libsentencepiece (0.1.97 in Debian 12).
//
// It is given every distinct word with its count, not the text: words are what is between spaces, tabs and line ends,
// and no piece of its goes beyond one. So memory is bounded whatever the text: of more than kMaxWordBytes of words the
// rarest are thinned out, by a hash, so that what stays comes from all of the text.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/parallel.h"
#include "text/learn/train.h"
#include "text/sentencepiece/model.h"
#include "text/tokenizer.h"

namespace roformer {

inline constexpr size_t kMaxWordBytes = size_t{1} << 26;

// Ids: [PAD]=0 [UNK] [CLS] [SEP] [MASK], the 256 bytes, then pieces. Nothing is normalized (`lowercase`: NFKC and case
// folding, the library's nfkc_cf), white space is kept, and what has no piece becomes bytes, so that decoding gives any
// text back but for U+2581, which comes back as a space. All characters get a piece where they take no more than half
// of the vocabulary, else the commonest that make up 99.95% of the text. `min_frequency` and `limit_alphabet` are not
// used. Depends on the files' content and the options only. Fewer pieces than asked for come back where the text has no
// more. UsageError with the minimum when the size cannot hold specials, bytes and characters; DataError when there are
// no words.
std::unique_ptr<Tokenizer> train_sentencepiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                               SentencePieceModel::Kind kind, ThreadPool& pool);

}  // namespace roformer
