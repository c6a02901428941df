#include "text/pipeline/regex.h"

#include <oniguruma.h>

#include <array>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

namespace roformer {

namespace {

constexpr size_t kMaxExpressionBytes = 1 << 16;
constexpr unsigned int kMaxParseDepth = 250;
// Steps back while looking for one match, and its stack (some 50 bytes an entry).
constexpr unsigned long kMaxRetries = 10'000'000;
constexpr unsigned int kMaxStack = 4'000'000;

using Bytes = std::array<OnigUChar, ONIG_MAX_ERROR_MESSAGE_LEN>;

const OnigUChar* bytes_of(const char* text) { return reinterpret_cast<const OnigUChar*>(text); }

std::string reason_of(int code, OnigErrorInfo* info) {
  Bytes buffer;
  const int length =
      info != nullptr ? onig_error_code_to_str(buffer.data(), code, info) : onig_error_code_to_str(buffer.data(), code);
  std::string reason(reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(length));
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return replace_invalid_utf8(std::move(reason));
}

void initialize_oniguruma() {
  static const bool once = [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    onig_set_parse_depth_limit(kMaxParseDepth);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

struct Regex::Compiled {
  regex_t* regex = nullptr;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { onig_free(regex); }
};

Regex::Regex(std::string expression, std::string where) : expression_(std::move(expression)), where_(std::move(where)) {
  initialize_oniguruma();
  if (expression_.size() > kMaxExpressionBytes) {
    throw DataError("{}: an expression of {} bytes, expected at most {}", where_, expression_.size(),
                    kMaxExpressionBytes);
  }
  auto compiled = std::make_shared<Compiled>();
  OnigErrorInfo info{};
  const OnigUChar* begin = bytes_of(expression_.data());
  const int code = onig_new(&compiled->regex, begin, begin + expression_.size(), ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                            ONIG_SYNTAX_DEFAULT, &info);
  if (code != ONIG_NORMAL) {
    throw DataError("{}: {} is not a regular expression: {}", where_, quote(expression_), reason_of(code, &info));
  }
  compiled_ = std::move(compiled);
}

struct Regex::Matches::Search {
  OnigRegion* region = onig_region_new();
  OnigMatchParam* limits = onig_new_match_param();
  Search() {
    onig_initialize_match_param(limits);
    onig_set_retry_limit_in_match_of_match_param(limits, kMaxRetries);
    onig_set_retry_limit_in_search_of_match_param(limits, kMaxRetries);
    onig_set_match_stack_limit_size_of_match_param(limits, kMaxStack);
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search() {
    onig_region_free(region, 1);
    onig_free_match_param(limits);
  }
};

Regex::Matches::Matches(const Regex& regex, std::string_view text)
    : regex_(regex), text_(text), search_(std::make_unique<Search>()) {}

Regex::Matches::~Matches() = default;

bool Regex::Matches::next(size_t& begin, size_t& end) {
  const OnigUChar* text = bytes_of(text_.data());
  const OnigUChar* text_end = text + text_.size();
  while (from_ <= text_.size()) {
    const int found = onig_search_with_param(regex_.compiled_->regex, text, text_end, text + from_, text_end,
                                             search_->region, ONIG_OPTION_NONE, search_->limits);
    if (found == ONIG_MISMATCH) break;
    if (found < 0) {
      throw DataError("{}: {} fails in a text of {} bytes: {}", regex_.where_, quote(regex_.expression_), text_.size(),
                      reason_of(found, nullptr));
    }
    begin = static_cast<size_t>(search_->region->beg[0]);
    end = static_cast<size_t>(search_->region->end[0]);
    if (begin == end && end == last_end_) {
      from_ += from_ < text_.size() ? static_cast<size_t>(decode_utf8(text_.data() + from_).length) : 1;
      continue;
    }
    from_ = last_end_ = end;
    return true;
  }
  from_ = text_.size() + 1;
  return false;
}

}  // namespace roformer
