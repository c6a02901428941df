#include "roformer/text_tokenizer.h"

#include <utility>

#include "base/memory_files.h"
#include "formats/directory_weights.h"
#include "formats/gguf_file.h"
#include "library/text_tokenizer_impl.h"

namespace roformer {

TextTokenizer::TextTokenizer(std::unique_ptr<const Implementation> implementation)
    : implementation_(std::move(implementation)) {}
TextTokenizer::TextTokenizer(TextTokenizer&&) noexcept = default;
TextTokenizer& TextTokenizer::operator=(TextTokenizer&&) noexcept = default;
TextTokenizer::~TextTokenizer() = default;

TextTokenizer TextTokenizer::open(const std::string& directory) {
  const std::string opened = is_gguf(directory) ? model_directory(directory) : directory;
  return TextTokenizer(std::make_unique<Implementation>(Implementation{load_tokenizer(opened)}));
}

TextTokenizer TextTokenizer::open_memory(const MemoryFiles& files) { return open(MemoryDirectory(files).path()); }

TokenizedText TextTokenizer::tokenize(std::string_view text, const TokenizeOptions& options) const {
  const Tokenizer& tokenizer = *implementation_->tokenizer;
  Encoding encoding = tokenizer.encode(text, options.pair, options.max_length);
  TokenizedText result;
  result.tokens.reserve(encoding.ids.size());
  for (const int32_t id : encoding.ids) result.tokens.push_back(tokenizer.token(id));
  result.ids = std::move(encoding.ids);
  result.segment_ids = std::move(encoding.segment_ids);
  result.offsets = std::move(encoding.offsets);
  return result;
}

std::string TextTokenizer::decode(std::span<const int32_t> ids, bool keep_special) const {
  return implementation_->tokenizer->decode(ids, keep_special);
}

int64_t TextTokenizer::vocabulary_size() const { return implementation_->tokenizer->vocabulary_size(); }

const std::string& TextTokenizer::token(int32_t id) const { return implementation_->tokenizer->token(id); }

std::optional<int32_t> TextTokenizer::id(std::string_view token) const { return implementation_->tokenizer->id(token); }

const std::string& TextTokenizer::mask_token() const { return token(implementation_->tokenizer->mask_id()); }

}  // namespace roformer
