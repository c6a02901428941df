// The inside of a TextTokenizer, for those of this room that hold one.
#pragma once

#include <memory>

#include "roformer/text_tokenizer.h"
#include "text/tokenizer.h"

namespace roformer {

struct TextTokenizer::Implementation {
  std::shared_ptr<const Tokenizer> tokenizer;
};

}  // namespace roformer
