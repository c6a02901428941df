#include "inference/question_answering.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "inference/head_scores.h"
#include "text/unicode.h"

namespace roformer {

namespace {

constexpr int64_t kUsualLength = 384, kUsualStride = 128;
// Windows are computed a few at a time, so that memory does not grow with the context.
constexpr int64_t kTokensAtOnce = 4096;

// The range of the context's tokens that have text; empty if there are none.
std::pair<size_t, size_t> context_range(const Encoding& encoding) {
  auto [first, end] = encoding.pair;
  const auto is_empty = [&](size_t token) { return encoding.offsets[token][0] == encoding.offsets[token][1]; };
  while (first < end && is_empty(first)) ++first;
  while (end > first && is_empty(end - 1)) --end;
  return {first, end};
}

// `whole` with the context's tokens from `begin` to `end` only, of those from `first` to `last`.
Encoding window_of(const Encoding& whole, size_t first, size_t begin, size_t end, size_t last) {
  Encoding window;
  const auto append = [&](size_t from, size_t to) {
    const auto copy = [&](const auto& source, auto& target) {
      target.insert(target.end(), source.begin() + static_cast<std::ptrdiff_t>(from),
                    source.begin() + static_cast<std::ptrdiff_t>(to));
    };
    copy(whole.ids, window.ids);
    copy(whole.segment_ids, window.segment_ids);
    copy(whole.offsets, window.offsets);
  };
  append(0, first);
  append(begin, end);
  window.pair = {first, window.ids.size()};
  append(last, whole.ids.size());
  return window;
}

std::vector<Encoding> windows_of(Encoding whole, const QuestionWindows& windows) {
  const int64_t length = std::ssize(whole.ids);
  if (windows.max_length == 0 || length <= windows.max_length) return {std::move(whole)};
  const auto [first, last] = context_range(whole);
  const int64_t others = length - static_cast<int64_t>(last - first), room = windows.max_length - others;
  const int64_t stride =
      windows.stride.value_or(std::max<int64_t>(0, std::min({windows.max_length / 2, kUsualStride, room - 1})));
  if (room <= stride) {
    throw DataError(
        "the question and special tokens take {} of a window of {} tokens ({}), which leaves {} for the "
        "context; expected more than the {} of {}",
        others, windows.max_length, FieldName("max_length"), std::max<int64_t>(0, room), stride, FieldName("stride"));
  }
  std::vector<Encoding> result;
  for (size_t begin = first;; begin += static_cast<size_t>(room - stride)) {
    const size_t end = std::min(begin + static_cast<size_t>(room), last);
    result.push_back(window_of(whole, first, begin, end, last));
    if (end == last) return result;
  }
}

std::string lower_case(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text.data() + i);
    char32_t lower[2];
    const int count = to_lower(point.value, lower);
    for (int k = 0; k < count; ++k) append_utf8(result, lower[k]);
    i += static_cast<size_t>(point.length);
  }
  return result;
}

struct Span {
  double score;
  size_t first, last;  // tokens of a window
};

// The `count` best spans of at most `longest` tokens, best first; of equal ones the earlier.
std::vector<Span> best_spans(const std::vector<double>& starts, const std::vector<double>& ends, size_t longest,
                             size_t count) {
  std::vector<Span> best;
  for (size_t s = 0; s < starts.size(); ++s) {
    for (size_t e = s; e < std::min(starts.size(), s + longest); ++e) {
      const double score = starts[s] * ends[e];
      if (score <= 0 || (best.size() == count && score <= best.back().score)) continue;
      if (best.size() == count) best.pop_back();
      best.insert(std::ranges::find_if(best, [&](const Span& other) { return other.score < score; }), {score, s, e});
    }
  }
  return best;
}

}  // namespace

AnswerSearch::AnswerSearch(const Tokenizer& tokenizer, std::string_view context, const AnswerOptions& options)
    : tokenizer_(tokenizer), context_(context), options_(options) {
  for (size_t i = 0; i < context.size(); ++i) {
    if (begins_code_point(context[i])) starts_.push_back(i);
  }
  starts_.push_back(context.size());
}

void AnswerSearch::add_answer(std::array<int64_t, 2> offsets, double score) {
  const size_t begin = starts_[static_cast<size_t>(offsets[0])], end = starts_[static_cast<size_t>(offsets[1])];
  const std::string_view text = context_.substr(begin, end - begin);
  const auto [place, is_new] = by_text_.try_emplace(lower_case(text), answers_.size());
  if (is_new) answers_.push_back({std::string(text), 0, offsets});
  answers_[place->second].score += score;
}

void AnswerSearch::add(const Encoding& window, std::span<const float> logits) {
  const auto [first, last] = context_range(window);
  std::vector<double> starts, ends;
  const auto read = [&](size_t token) {
    starts.push_back(logits[2 * token]);
    ends.push_back(logits[2 * token + 1]);
  };
  for (size_t token = first; token < last; ++token) read(token);
  // [CLS], which stands for no answer, takes part in the probabilities.
  for (size_t token = 0; token < first; ++token) {
    if (tokenizer_.has(SpecialToken::cls) && window.ids[token] == tokenizer_.cls_id()) read(token);
  }
  starts = softmax(std::move(starts));
  ends = softmax(std::move(ends));
  if (starts.size() > last - first) none_ = std::min(none_.value_or(1), starts.back() * ends.back());
  starts.resize(last - first);
  ends.resize(last - first);
  const auto continues = [&](size_t token) { return tokenizer_.is_continuation(window.ids[token]); };
  constexpr size_t kSpansToAlign = 12;
  for (auto [score, s, e] : best_spans(starts, ends, static_cast<size_t>(options_.max_tokens),
                                       options_.align_to_words ? kSpansToAlign : 1)) {
    s += first, e += first;
    while (options_.align_to_words && s > first && continues(s)) --s;
    while (options_.align_to_words && e + 1 < last && continues(e + 1)) ++e;
    add_answer({window.offsets[s][0], window.offsets[e][1]}, score);
  }
}

Answer AnswerSearch::best() const {
  if (answers_.empty()) return {};
  Answer best = *std::max_element(answers_.begin(), answers_.end(),
                                  [](const Answer& a, const Answer& b) { return a.score < b.score; });
  if (options_.may_have_none && none_ && *none_ > best.score) return {.text = "", .score = *none_};
  return best;
}

QuestionWindows question_windows(const ModelConfig& config, const Tokenizer& tokenizer,
                                 std::optional<int64_t> max_length, std::optional<int64_t> stride) {
  int64_t usual = std::min(kUsualLength, length_limit(config, tokenizer).tokens);
  if (tokenizer.model_max_length() > 0) usual = std::min(usual, tokenizer.model_max_length());
  const QuestionWindows windows{.max_length = max_length.value_or(usual), .stride = stride};
  if (stride && (*stride < 0 || (windows.max_length > 0 && *stride >= windows.max_length))) {
    throw UsageError("{} is {}, expected 0 to {}, less than {}", FieldName("stride"), *stride, windows.max_length - 1,
                     FieldName("max_length"));
  }
  return windows;
}

ItemEncoder encode_question(const Tokenizer& tokenizer, const QuestionWindows& windows, char separator) {
  tokenizer.encode("", "", windows.max_length);  // refuses a max_length without room for special tokens
  return [encode = encode_pair(tokenizer, {}, separator), windows](std::string_view item) {
    return windows_of(std::move(encode(item).front()), windows);
  };
}

std::vector<Answer> answer_questions(const Model& model, const Tokenizer& tokenizer, const TextBatch& batch,
                                     const AnswerOptions& options) {
  std::vector<AnswerSearch> answers;
  for (const TextItem& item : batch.items) answers.emplace_back(tokenizer, second_text(item.text), options);
  struct Window {
    size_t item;
    const Encoding* encoding;
  };
  std::vector<Window> together;
  Batch windows;
  const auto compute = [&] {
    const Tensor logits = head_logits(model, windows);
    for (size_t i = 0; i < together.size(); ++i) {
      const Encoding& window = *together[i].encoding;
      answers[together[i].item].add(window, {logits.row<float>(windows.offsets[i]), 2 * window.ids.size()});
    }
    together.clear();
    windows = Batch();
  };
  for (size_t item = 0; item < batch.items.size(); ++item) {
    for (const Encoding& window : batch.items[item].sequences) {
      if (!together.empty() && windows.tokens() + std::ssize(window.ids) > kTokensAtOnce) compute();
      windows.append(window.ids, window.segment_ids);
      together.push_back({item, &window});
    }
  }
  if (!together.empty()) compute();
  std::vector<Answer> result;
  result.reserve(answers.size());
  for (const AnswerSearch& one : answers) result.push_back(one.best());
  return result;
}

std::vector<Answer> answer_questions(const Model& model, const Tokenizer& tokenizer, TextPairs questions,
                                     const QuestionWindows& windows, const TextBatching& batching,
                                     const AnswerOptions& options) {
  require_head(model, Head::question_answering);
  PairList source(questions);
  return compute_batches(source, encode_question(tokenizer, windows, kPairSeparator), batching, model.backend().pool(),
                         [&](const TextBatch& batch) { return answer_questions(model, tokenizer, batch, options); });
}

}  // namespace roformer
