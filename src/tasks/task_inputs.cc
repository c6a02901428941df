#include "tasks/task_inputs.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/error.h"
#include "inference/question_answering.h"
#include "text/token_rows.h"

namespace roformer {

namespace {

std::string lower_ascii(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Where a range of the context's code points lies in a window: its first and last token.
struct TokenSpan {
  int32_t first = -1, last = -1;
  bool found() const { return first >= 0 && last >= first; }
};

TokenSpan find_span(const Encoding& window, int64_t begin, int64_t end) {
  TokenSpan span;
  for (size_t t = window.pair[0]; t < window.pair[1]; ++t) {
    const auto [from, to] = window.offsets[t];
    if (from <= begin && begin < to && span.first < 0) span.first = static_cast<int32_t>(t);
    if (from < end && end <= to) span.last = static_cast<int32_t>(t);
  }
  return span;
}

int64_t count_code_points_of(const std::string& text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void drop_offsets(Encoding& encoding) { encoding.offsets = {}; }

}  // namespace

bool has_head(TaskKind kind) { return kind != TaskKind::pair_similarity && kind != TaskKind::contrastive; }

Head head_of(TaskKind kind) {
  switch (kind) {
    case TaskKind::classification:
    case TaskKind::multilabel:
    case TaskKind::regression:
    case TaskKind::triplet: return Head::sequence_classification;
    case TaskKind::token_classification: return Head::token_classification;
    case TaskKind::question_answering: return Head::question_answering;
    case TaskKind::multiple_choice: return Head::multiple_choice;
    default: throw UsageError("{} is one of sentence vectors, which has no head", FieldName("task"));
  }
}

bool has_labels(TaskKind kind) {
  return kind == TaskKind::classification || kind == TaskKind::multilabel || kind == TaskKind::token_classification;
}

bool labels_tokens(Head head) { return head == Head::token_classification || head == Head::question_answering; }

LabelNames::LabelNames(std::vector<std::string> names) : names_(std::move(names)) {
  const auto add = [&](const std::string& name, size_t id) { ids_.try_emplace(name, static_cast<int32_t>(id)); };
  for (size_t i = 0; i < names_.size(); ++i) add(names_[i], i);
  for (size_t i = 0; i < names_.size(); ++i) add(lower_ascii(names_[i]), i);
  for (size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] != fmt::format("LABEL_{}", i)) return;
  }
  for (size_t i = 0; i < names_.size(); ++i) add(fmt::format("{}", i), i);
}

int32_t LabelNames::find(const std::string& label) const {
  auto found = ids_.find(label);
  if (found == ids_.end()) found = ids_.find(lower_ascii(label));
  return found == ids_.end() ? -1 : found->second;
}

int64_t EncodedPart::tokens() const {
  int64_t count = 0;
  for (const Encoding& sequence : sequences) count += std::ssize(sequence.ids);
  return count;
}

int64_t EncodedExamples::tokens() const {
  int64_t count = 0;
  for (const EncodedPart& part : parts) count += part.tokens();
  return count;
}

TaskInputs::TaskInputs(TaskKind kind, const ModelConfig& config, const Tokenizer& tokenizer,
                       const InputOptions& options)
    : kind_(kind), rows_(config.vocabulary), tokenizer_(tokenizer), options_(options), labels_(config.labels) {
  const LengthLimit limit = length_limit(config, tokenizer);
  if (options.max_length > limit.tokens) {
    throw UsageError("{} {} is more than {}: {}", FieldName("max_length"), options.max_length, limit.tokens,
                     limit.reason);
  }
  tokenizer.encode("", kind == TaskKind::classification ? std::nullopt : std::optional<std::string_view>(""),
                   options.max_length);  // refuses a max_length without room for special tokens
  if (kind == TaskKind::question_answering) {
    question_windows_ = roformer::encode_question(
        tokenizer, question_windows(config, tokenizer, options.max_length, options.stride), kPairSeparator);
  }
}

EncodedExamples TaskInputs::encode(std::span<const Example> examples, const std::string& file, ThreadPool& pool) const {
  struct One {
    std::vector<EncodedPart> parts;
    EncodedExamples counts;
    std::exception_ptr error;
  };
  std::vector<One> all(examples.size());
  pool.run(std::ssize(examples), [&](int64_t i) {
    One& one = all[static_cast<size_t>(i)];
    try {
      one.parts = encode_one(examples[static_cast<size_t>(i)], one.counts);
      for (EncodedPart& part : one.parts) {
        part.source = i;
        for (const Encoding& sequence : part.sequences) check_rows(tokenizer_, sequence.ids, rows_);
      }
    } catch (const Error&) {
      one.error = std::current_exception();
    }
  });
  EncodedExamples result{.parts = {}, .examples = std::ssize(examples)};
  for (size_t i = 0; i < all.size(); ++i) {
    One& one = all[i];
    if (one.error) {
      try {
        std::rethrow_exception(one.error);
      } catch (const DataError& error) {
        throw DataError("{}:{}: {}", FilePath(file), LineNumber(examples[i].line), error.what());
      }
    }
    std::ranges::move(one.parts, std::back_inserter(result.parts));
    result.cut += one.counts.cut;
    result.unanswered += one.counts.unanswered;
  }
  return result;
}

std::vector<EncodedPart> TaskInputs::encode_one(const Example& example, EncodedExamples& counts) const {
  if (kind_ == TaskKind::token_classification) return encode_tokens(example, counts);
  if (kind_ == TaskKind::question_answering) return encode_question(example, counts);
  return {encode_texts(example, counts)};
}

// Kinds with one row of logits per sequence.
EncodedPart TaskInputs::encode_texts(const Example& example, EncodedExamples& counts) const {
  EncodedPart part;
  bool cut = false;
  const auto add = [&](const std::string& text, std::optional<std::string_view> pair) {
    part.sequences.push_back(tokenizer_.encode(text, pair, options_.max_length));
    drop_offsets(part.sequences.back());
    cut = cut || part.sequences.back().cut > 0;
  };
  const std::vector<std::string>& texts = example.texts;
  const auto outputs = static_cast<int32_t>(std::max<size_t>(1, labels_.names().size()));
  switch (kind_) {
    case TaskKind::multiple_choice:
      for (size_t i = 1; i < texts.size(); ++i) add(texts[0], texts[i]);
      part.terms.push_back(
          {.count = static_cast<int32_t>(texts.size()) - 1, .target = static_cast<int32_t>(example.choice)});
      break;
    case TaskKind::triplet:
      for (int32_t i = 0; i < 2; ++i) {
        add(texts[0], texts[static_cast<size_t>(i) + 1]);
        const int32_t similar = example.choice < 0 ? -1 : (example.choice == i ? 1 : 0);
        part.terms.push_back({.kind = TermKind::sigmoid, .first = i, .target = similar});
      }
      break;
    default:
      add(texts[0], texts.size() > 1 ? std::optional<std::string_view>(texts[1]) : std::nullopt);
      if (kind_ == TaskKind::regression) {
        const double value = example.labeled ? example.value : std::numeric_limits<double>::quiet_NaN();
        part.terms.push_back({.kind = TermKind::squared, .value = value});
      } else if (kind_ == TaskKind::classification) {
        const int32_t label = example.labels.empty() ? -1 : labels_.find(example.labels.front());
        part.terms.push_back({.count = outputs, .target = label});
      } else {
        for (int32_t i = 0; i < outputs; ++i) {
          part.terms.push_back({.kind = TermKind::sigmoid, .first = i, .target = example.labeled ? 0 : -1});
        }
        for (const std::string& label : example.labels) {
          const int32_t id = labels_.find(label);
          if (id >= 0) part.terms[static_cast<size_t>(id)].target = 1;
        }
      }
  }
  counts.cut += cut ? 1 : 0;
  return part;
}

// The first token of each word has its tag, as in transformers' examples; the others have none. A text that is longer
// than max_length is cut into consecutive windows between words.
std::vector<EncodedPart> TaskInputs::encode_tokens(const Example& example, EncodedExamples& counts) const {
  constexpr int32_t kPlace = -1;
  const std::vector<int32_t> frame = tokenizer_.with_specials({kPlace});
  const auto before = std::ranges::find(frame, kPlace) - frame.begin();
  const auto room = static_cast<size_t>(options_.max_length - std::ssize(frame) + 1);
  std::vector<EncodedPart> parts;
  std::vector<int32_t> ids;
  std::vector<LossTerm> terms;
  bool cut = false;
  const auto finish = [&] {
    if (terms.empty()) return;
    EncodedPart part;
    part.sequences.emplace_back();
    part.sequences.back().ids = tokenizer_.with_specials(ids);
    part.sequences.back().segment_ids.assign(part.sequences.back().ids.size(), 0);
    part.terms = std::move(terms);
    parts.push_back(std::move(part));
    ids.clear();
    terms.clear();
  };
  for (size_t word = 0; word < example.texts.size(); ++word) {
    std::vector<int32_t> pieces = tokenizer_.encode_plain(example.texts[word]);
    // A word of white space or control characters has no token; [UNK] stands for it, so that it has a prediction.
    if (pieces.empty()) pieces.push_back(tokenizer_.unk_id());
    if (pieces.size() > room) {
      pieces.resize(room);
      cut = true;
    }
    if (ids.size() + pieces.size() > room) finish();
    const auto row = static_cast<int32_t>(before + std::ssize(ids));
    const int32_t tag = example.labels.empty() ? -1 : labels_.find(example.labels[word]);
    terms.push_back({.first = row * labels_.size(), .count = labels_.size(), .target = tag});
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  }
  finish();
  counts.cut += cut ? 1 : 0;
  return parts;
}

// A window without the answer has [CLS] as its target, as in transformers' examples.
std::vector<EncodedPart> TaskInputs::encode_question(const Example& example, EncodedExamples& counts) const {
  const std::vector<Encoding> windows = question_windows_(example.texts[0] + kPairSeparator + example.texts[1]);
  const bool impossible = example.labeled && example.answers.empty();
  const AnswerSpan answer = example.answers.empty() ? AnswerSpan() : example.answers.front();
  const bool placed = answer.begin >= 0;
  if (example.labeled && !impossible && !placed) ++counts.unanswered;
  std::vector<EncodedPart> parts;
  for (const Encoding& window : windows) {
    EncodedPart& part = parts.emplace_back();
    TokenSpan span;
    if (placed) span = find_span(window, answer.begin, answer.begin + count_code_points_of(answer.text));
    if (!span.found() && (placed || impossible)) {
      const auto cls =
          tokenizer_.has(SpecialToken::cls) ? std::ranges::find(window.ids, tokenizer_.cls_id()) : window.ids.begin();
      span.first = span.last = cls == window.ids.end() ? 0 : static_cast<int32_t>(cls - window.ids.begin());
    }
    const auto count = static_cast<int32_t>(window.ids.size());
    part.terms = {{.first = 0, .stride = 2, .count = count, .target = span.first},
                  {.first = 1, .stride = 2, .count = count, .target = span.last}};
    part.sequences.push_back(window);
  }
  return parts;
}

}  // namespace roformer
