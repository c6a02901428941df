// Converts foreign files to a model directory that transformers loads, and changes the rotary layout. Each source
// format is one reader in the table of convert.cc, which returns a model, its companion files and, by an independent
// path, the same weights under canonical names. The output is read back and compared with the latter element by element
// (after the permutation for another rotary layout).
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
  std::string input;           // a model directory, or a weights file in one, or a GGUF file; for llama2c a .bin
  std::string output;          // directory to create; for gguf a file
  std::string tokenizer = {};  // for llama2c: its tokenizer.bin; empty: convert the model alone
  // Rotary layout of the output (interchange/rotary_relayout.h); none: the model's own.
  std::optional<RotaryLayout> rotary_layout = {};
  std::string gguf_type = "f16";    // of matrices in a GGUF file (interchange/gguf.h)
  std::stop_token stop_token = {};  // polled between reading, writing and checking
};

// Values of `from` and `to`.
std::vector<std::string> convert_sources();
std::vector<std::string> convert_targets();

struct ConvertReport {
  struct LeftOut {
    std::string name, reason;  // of a source tensor
  };
  bool written = true;  // false: the directory already held the same
  int64_t tensors = 0, numbers = 0;
  std::string source_hash,
      result_hash;  // XXH3-128 of names, shapes and float32 values in the order of the names; equal
  std::vector<LeftOut> left_out;
  std::vector<std::string> files;               // besides config.json and model.safetensors; none of a GGUF file
  LoadNotes notes;                              // of loading the source; unknown keys are copied unchanged
  std::optional<RotaryLayout> old_layout = {};  // the source's, if options.rotary_layout is set
  int64_t permuted = 0;                         // number of permuted tensors
};

// Atomic: the directory, or GGUF file, is written under a temporary name and renamed after the self-check. UsageError
// for invalid paths and for a layout of non-rotary positions, FileError if `output` exists with other content,
// DataError for malformed files and a failed self-check, Interrupted.
ConvertReport convert(const ConvertOptions& options, Backend& backend);

}  // namespace roformer
