// The tokenizer of roformer.h over the C++ class, and files in memory.
#include "library/c_model.h"

namespace roformer {
namespace {

struct TokensResult : roformer_tokens {
  TokenizedText own;
  std::vector<const char*> texts;
};
struct TextResult : roformer_text {
  std::string own;
};

roformer_tokenizer* make_tokenizer_handle(TextTokenizer opened) {
  auto result = std::make_unique<roformer_tokenizer>();
  result->own.emplace(std::move(opened));
  result->tokenizer = &*result->own;
  return result.release();
}

roformer_tokens* make_tokens(TokenizedText text) {
  auto result = std::make_unique<TokensResult>();
  result->own = std::move(text);
  const TokenizedText& made = result->own;
  for (const std::string& token : made.tokens) result->texts.push_back(token.c_str());
  static_assert(sizeof(made.offsets[0]) == 2 * sizeof(int64_t));
  const int64_t* offsets = made.offsets.empty() ? nullptr : made.offsets.front().data();
  static_cast<roformer_tokens&>(*result) = {made.ids.size(), result->texts.data(), made.ids.data(),
                                            made.segment_ids.data(), offsets};
  return result.release();
}

}  // namespace

MemoryFiles files_of(const roformer_file* files, size_t count) {
  if (count > 0) required(files, "files");
  MemoryFiles result;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = &required(files[i].name, "name");
    const auto* bytes = static_cast<const char*>(files[i].data);
    if (files[i].size > 0) required(bytes, "data");
    if (!result.emplace(name, std::string_view(bytes, files[i].size)).second) {
      throw UsageError("{} has {} twice", FieldName("files"), name);
    }
  }
  return result;
}

}  // namespace roformer

using roformer::guarded;
using roformer::required;
using roformer::text_of;

roformer_status roformer_tokenizer_open(const char* directory, roformer_tokenizer** tokenizer, roformer_error* error) {
  return guarded(error, [&] {
    required(tokenizer, "tokenizer");
    *tokenizer = roformer::make_tokenizer_handle(roformer::TextTokenizer::open(&required(directory, "directory")));
  });
}

roformer_status roformer_tokenizer_open_memory(const roformer_file* files, size_t count, roformer_tokenizer** tokenizer,
                                               roformer_error* error) {
  return guarded(error, [&] {
    required(tokenizer, "tokenizer");
    *tokenizer =
        roformer::make_tokenizer_handle(roformer::TextTokenizer::open_memory(roformer::files_of(files, count)));
  });
}

void roformer_tokenizer_free(roformer_tokenizer* tokenizer) { delete tokenizer; }

roformer_status roformer_tokenizer_encode(const roformer_tokenizer* tokenizer, const char* text, size_t length,
                                          const char* pair, size_t pair_length, int64_t max_length,
                                          roformer_tokens** tokens, roformer_error* error) {
  return guarded(error, [&] {
    required(tokens, "tokens");
    roformer::TokenizeOptions options{.pair = {}, .max_length = max_length};
    if (pair != nullptr) options.pair = text_of(pair, pair_length, "pair");
    const roformer::TextTokenizer& opened = *required(tokenizer, "tokenizer").tokenizer;
    *tokens = roformer::make_tokens(opened.tokenize(text_of(text, length), options));
  });
}

roformer_status roformer_tokenize(const roformer_model* model, const char* text, size_t length, const char* pair,
                                  size_t pair_length, roformer_tokens** tokens, roformer_error* error) {
  return guarded(error, [&] {
    required(tokens, "tokens");
    roformer::TokenizeOptions options;
    if (pair != nullptr) options.pair = text_of(pair, pair_length, "pair");
    *tokens = roformer::make_tokens(required(model, "model").model.tokenize(text_of(text, length), options));
  });
}

void roformer_tokens_free(roformer_tokens* tokens) { delete static_cast<roformer::TokensResult*>(tokens); }

roformer_status roformer_tokenizer_decode(const roformer_tokenizer* tokenizer, const int32_t* ids, size_t count,
                                          int keep_special, roformer_text** text, roformer_error* error) {
  return guarded(error, [&] {
    required(text, "text");
    if (count > 0) required(ids, "ids");
    auto result = std::make_unique<roformer::TextResult>();
    result->own = required(tokenizer, "tokenizer").tokenizer->decode(std::span(ids, count), keep_special != 0);
    static_cast<roformer_text&>(*result) = {result->own.c_str(), result->own.size()};
    *text = result.release();
  });
}

void roformer_text_free(roformer_text* text) { delete static_cast<roformer::TextResult*>(text); }

int64_t roformer_tokenizer_size(const roformer_tokenizer* tokenizer) {
  return tokenizer == nullptr ? 0 : tokenizer->tokenizer->vocabulary_size();
}

const char* roformer_tokenizer_token(const roformer_tokenizer* tokenizer, int32_t id) {
  if (id < 0 || id >= roformer_tokenizer_size(tokenizer)) return nullptr;
  return tokenizer->tokenizer->token(id).c_str();
}

int32_t roformer_tokenizer_id(const roformer_tokenizer* tokenizer, const char* token) {
  if (tokenizer == nullptr || token == nullptr) return -1;
  return tokenizer->tokenizer->id(token).value_or(-1);
}

const char* roformer_tokenizer_mask_token(const roformer_tokenizer* tokenizer) {
  const char* token = nullptr;
  guarded(nullptr, [&] { token = required(tokenizer, "tokenizer").tokenizer->mask_token().c_str(); });
  return token;
}
