// Divides examples into those to train on and those to validate on. The same seed and examples give the same division.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/labeled/example.h"

namespace roformer {

// Indices of examples, ascending. Together they are all examples, but for those that disjoint_folds leaves out.
struct ExampleSplit {
  std::vector<size_t> train, validation;
};

// About `fraction` of `count` examples for validation, at least 1 and never all. UsageError unless the fraction is
// between 0 and 1; DataError if there are fewer than 2 examples.
ExampleSplit split_examples(size_t count, double fraction, uint64_t seed);

// Each example is in the validation part of one fold; sizes differ by at most 1. UsageError for fewer than 2 folds,
// DataError for fewer examples than folds.
std::vector<ExampleSplit> split_folds(size_t count, int64_t folds, uint64_t seed);

// Folds without a text that is on both sides. Where examples form groups that share no text, and none is too large,
// each example is validated on once. Where nearly all hang together (the 500 public triplets of CAIL2019-SCM have 227
// documents, and 496 triplets are connected), the texts are divided so that few examples have texts of several parts,
// by local search; a fold validates on the examples within its part and trains on those without any text of it. The
// rest of the fold's examples is left out. Errors as of split_folds, and a DataError if a fold has no example to train
// or to validate on.
std::vector<ExampleSplit> disjoint_folds(std::span<const Example> examples, int64_t folds, uint64_t seed);

}  // namespace roformer
