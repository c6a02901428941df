// Options of the commands that read texts with a model's tokenizer.
#pragma once

#include <string>

#include "cli/options.h"
#include "text/tokenizer.h"

namespace roformer {

struct TokenizerOptions {
  std::string mode, dictionary;  // empty: the directory's settings
};

void add_tokenizer(OptionSet& set, TokenizerOptions& options);

// UsageError for an unknown mode.
LoadOptions load_options(const TokenizerOptions& options);

}  // namespace roformer
