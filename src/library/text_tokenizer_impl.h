// The implementation of TextTokenizer, for the classes of this module that contain one.
#pragma once

#include <memory>

#include "roformer/text_tokenizer.h"
#include "text/tokenizer.h"

namespace roformer {

struct TextTokenizer::Implementation {
  std::shared_ptr<const Tokenizer> tokenizer;
};

}  // namespace roformer
