#include "cli/tokenizer_options.h"

#include "base/error.h"
#include "base/json.h"
#include "text/jieba/jieba_tokenizer.h"

namespace roformer {

void add_tokenizer(OptionSet& set, TokenizerOptions& options) {
  set.add("--tokenizer-mode", options.mode,
          "how a jieba tokenizer segments: fast or slow as in transformers, or bert4keras (default: the directory's "
          "setting)",
          "MODE");
  set.add("--jieba-dictionary", options.dictionary,
          "jieba's dict.txt (default: the directory's jieba_dict.txt, else that of Debian's python3-jieba)", "FILE");
}

LoadOptions load_options(const TokenizerOptions& options) {
  LoadOptions load{.mode = {}, .jieba_dictionary = options.dictionary};
  if (options.mode.empty()) return load;
  load.mode = parse_jieba_mode(options.mode);
  if (!load.mode)
    throw UsageError("{}: expected fast, slow or bert4keras, got {}", FieldName("tokenizer_mode"), quote(options.mode));
  return load;
}

}  // namespace roformer
