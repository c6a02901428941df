// Other people's files to a model directory that transformers loads, and back. Each kind of file is one reader in the
// table of convert.cc: it gives a model, the same weights under this project's names by a way of its own, and the files
// that go with them. What is written is read back and compared with the latter, number by number (after the permutation
// that another layout of rotary pairs asks for).
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "models/model.h"

namespace roformer {

struct ConvertOptions {
  std::string from = "transformers";
  std::string to = "transformers";
  std::string input;           // a model directory, or a weights file in one; of llama2c a .bin
  std::string output;          // a directory that will be
  std::string tokenizer = {};  // of llama2c: its tokenizer.bin; empty: the model alone
  // The layout of rotary pairs to write the weights for (interchange/rotary_relayout.h); none: the model's own.
  std::optional<RotaryLayout> rotary_layout = {};
  std::stop_token stop_token = {};  // looked at between reading, writing and checking
};

// What may be given as `from` and as `to`.
std::vector<std::string> convert_sources();
std::vector<std::string> convert_targets();

struct ConvertReport {
  struct LeftOut {
    std::string name, reason;  // a tensor of the source
  };
  bool written = true;  // false: the directory held the same already
  int64_t tensors = 0, numbers = 0;
  std::string source_hash,
      result_hash;  // XXH3-128 of names, shapes and float32 values in the order of the names; equal
  std::vector<LeftOut> left_out;
  std::vector<std::string> files;               // written beside config.json and model.safetensors
  std::vector<std::string> unknown_keys;        // of config.json, kept as they are
  std::optional<RotaryLayout> old_layout = {};  // if options.rotary_layout is set: the source's
  int64_t permuted = 0;                         // tensors that the new layout changed
};

// All or nothing: the directory is made under a temporary name and renamed when its self-check has passed. UsageError
// for paths that make no sense and for a layout of positions that are not rotary, FileError if `output` holds anything
// else, DataError for bad files and for a self-check that failed, Interrupted.
ConvertReport convert(const ConvertOptions& options, Backend& backend);

}  // namespace roformer
