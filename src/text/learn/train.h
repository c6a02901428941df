// Learns vocabularies from text files. `<doc ...>` tag lines are skipped. The result depends on the files' content and
// the options only, not on the number of threads. Special tokens come first: [PAD]=0 [UNK] [CLS] [SEP] [MASK].
//
// WordPiece is learned as by Hugging Face's trainer: byte-pair merges (Sennrich et al. 2016) of the most frequent
// adjacent pair inside words, pieces within a word marked "##". The likelihood criterion of Schuster & Nakajima (2012)
// was rejected because published implementations disagree and merges are what the ecosystem uses.
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
  int64_t min_frequency = 2;      // of a pair (wordpiece) or character (char)
  int64_t limit_alphabet = 1000;  // wordpiece: number of characters; a word with a rarer one is [UNK]
};

// Words: BERT's (normalized, split at whitespace and punctuation), without those over 100 characters. Order of ids:
// specials, characters by code point, "##" characters by code point, merges in order: the highest count first, ties by
// the lowest left id, then right id. The result has fewer tokens than requested if there are no more pairs of
// min_frequency. UsageError (with the minimum) if the size cannot hold specials and characters; DataError if there are
// no words.
std::unique_ptr<Tokenizer> train_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                           ThreadPool& pool);

// A vocabulary of Chinese words, as in WoBERT and RoFormer: jieba segments the text (jieba_tokenizer.h, in `mode`), and
// its most frequent words become tokens. Words with an ideograph and at least one more character are candidates as a
// whole; all others are learned from as in train_wordpiece. Order of ids: specials; the most frequent characters by
// code point, at most a fifth of the vocabulary but no fewer than 1000 if they fit; "##" characters by code point;
// then, by descending count, Chinese words and merges, a merge before a word of the same count, words of the same count
// by code point. The tokenizer splits unknown words into characters, so the characters of all words are counted.
// `dictionary`: as LoadOptions::jieba_dictionary. Errors as above, and those of the dictionary.
std::unique_ptr<Tokenizer> train_jieba_wordpiece(std::span<const std::string> paths, const TokenizerTraining& options,
                                                 const std::string& dictionary, JiebaMode mode, ThreadPool& pool);

// Characters by descending count, then by code point, up to the size. Errors as above.
std::unique_ptr<Tokenizer> train_char(std::span<const std::string> paths, const TokenizerTraining& options,
                                      ThreadPool& pool);

// Byte-level BPE with GPT-2's words, any text of which comes back from its ids. Order of ids: specials; the 256 bytes
// by their letters; merges in order: the highest count first, ties by the lowest left id, then right id, as trained by
// Hugging Face's tokenizers. UsageError if the size cannot hold specials and bytes, or to lowercase; DataError without
// words.
std::unique_ptr<Tokenizer> train_byte_bpe(std::span<const std::string> paths, const TokenizerTraining& options,
                                          ThreadPool& pool);

// Always the specials and the 256 bytes, 261 tokens.
std::unique_ptr<Tokenizer> train_byte();

}  // namespace roformer
