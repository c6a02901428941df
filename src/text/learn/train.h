// Learns vocabularies from text files. `<doc ...>` tag lines are left out. The result depends on the files' content and
// the options only, never on the number of threads. Special tokens come first: [PAD]=0 [UNK] [CLS] [SEP] [MASK].
//
// WordPiece is learned as Hugging Face's trainer does: byte-pair merges (Sennrich et al. 2016) of the commonest
// adjacent pair inside words, pieces within a word marked "##". The likelihood criterion of Schuster & Nakajima (2012)
// was rejected: nobody's published code for it agrees, and the merges give the vocabularies people know.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/parallel.h"
#include "text/tokenizer.h"

namespace roformer {

struct TokenizerTraining {
  int64_t vocab_size = 8000;      // special tokens included
  bool lowercase = false;         // wordpiece: also strips accents, as BERT's uncased models do
  int64_t min_frequency = 2;      // a pair (wordpiece) or character (char) seen less often gets no token
  int64_t limit_alphabet = 1000;  // wordpiece: characters kept, the commonest; a word with another one is [UNK]
};

// Words: BERT's (normalized, split at whitespace and punctuation); those over 100 characters do not count. Order of
// ids: specials, characters by code point, "##" characters by code point, merges as they were made: the highest count
// first, among equals the pair whose left id, then right id, is the lowest. Fewer tokens than asked for come back when
// the text has no more pairs of min_frequency: see vocabulary_size() of the result. UsageError (with the minimum) when
// the size cannot hold specials and characters; DataError when there are no words.
std::unique_ptr<Tokenizer> train_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                           ThreadPool& pool);

// A vocabulary of Chinese words, as WoBERT and RoFormer have it: jieba cuts the text (jieba_tokenizer.h, in `mode`),
// and its commonest words become tokens as a whole. Words with an ideograph and another character are candidates as
// they are; all others are learned from as in train_wordpiece. Order of ids: specials; characters by code point, the
// commonest, at most a fifth of the vocabulary but no fewer than 1000 where there is room; "##" characters by code
// point; then, by falling count, Chinese words and merges, a merge before a word of the same count, words of the same
// count by code point. A word that is not a token is cut into its characters by the tokenizer, so every character
// counts. `dictionary`: as LoadOptions::jieba_dictionary. Errors as above, and those of the dictionary.
std::unique_ptr<Tokenizer> train_jieba_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                                 const std::string& dictionary, JiebaMode mode, ThreadPool& pool);

// Characters by falling count, among equals by code point, until the size is reached. Errors as above.
std::unique_ptr<Tokenizer> train_char(std::span<const std::string> paths, const TokenizerTraining& options,
                                      ThreadPool& pool);

// Nothing to learn: always the specials and the 256 bytes, 261 tokens.
std::unique_ptr<Tokenizer> train_byte();

}  // namespace roformer
