// What heads say, of roformer.h, over the C++ class.
#include "library/c_model.h"

namespace roformer {
namespace {

// A result of the C interface, with the storage its pointers refer to.
struct MasksResult : roformer_masks {
  FilledMasks filled;
  std::vector<roformer_candidate> list;
};
struct ClassificationResult : roformer_classification {
  std::vector<std::string> names;
  std::vector<roformer_label> list;
};
struct TokenLabelsResult : roformer_token_labels {
  std::vector<LabeledToken> found;
  std::vector<roformer_token_label> list;
};
struct AnswerResult : roformer_answer {
  TextAnswer own;
};

std::unique_ptr<ClassificationResult> make_classification(const std::vector<std::string>& labels,
                                                          const Classification& found) {
  auto result = std::make_unique<ClassificationResult>();
  result->names = labels;
  for (size_t i = 0; i < labels.size(); ++i) result->list.push_back({result->names[i].c_str(), found.scores[i]});
  const auto best = std::max_element(found.scores.begin(), found.scores.end()) - found.scores.begin();
  static_cast<roformer_classification&>(*result) = {labels.size(), static_cast<size_t>(best), result->list.data()};
  return result;
}

QuestionOptions question_of(const roformer_question_options* given) {
  const auto known = known_options(given, "roformer_question_options", sizeof(roformer_question_options));
  QuestionOptions options;
  set_if_given(options.max_tokens, known.max_tokens);
  if (known.stride != 0) options.stride = std::max<int64_t>(0, known.stride);
  options.align_to_words = known.split_words == 0;
  return options;
}

}  // namespace
}  // namespace roformer

using roformer::guarded;
using roformer::required;
using roformer::text_of;

roformer_status roformer_fill_mask(const roformer_model* model, const char* text, size_t length, int64_t top_k,
                                   roformer_masks** masks, roformer_error* error) {
  return guarded(error, [&] {
    required(masks, "masks");
    auto result = std::make_unique<roformer::MasksResult>();
    const roformer_model& opened = required(model, "model");
    result->filled = opened.model.fill_mask(text_of(text, length), top_k, opened.stop->token());
    for (const auto& list : result->filled) {
      for (const auto& c : list) result->list.push_back({c.token.c_str(), c.id, c.score});
    }
    static_cast<roformer_masks&>(*result) = {result->filled.size(), result->filled.front().size(), result->list.data()};
    *masks = result.release();
  });
}

void roformer_masks_free(roformer_masks* masks) { delete static_cast<roformer::MasksResult*>(masks); }

roformer_status roformer_classify(const roformer_model* model, const char* text, size_t length, const char* pair,
                                  size_t pair_length, roformer_classification** classification, roformer_error* error) {
  return guarded(error, [&] {
    required(classification, "classification");
    const roformer_model& opened = required(model, "model");
    const std::string_view first = text_of(text, length);
    const roformer::TextPair both(first, pair == nullptr ? std::string_view() : text_of(pair, pair_length, "pair"));
    const roformer::Classification found =
        pair == nullptr ? opened.model.classify(first, opened.stop->token())
                        : opened.model.classify(std::span(&both, 1), opened.stop->token()).front();
    *classification = roformer::make_classification(opened.model.labels(), found).release();
  });
}

void roformer_classification_free(roformer_classification* classification) {
  delete static_cast<roformer::ClassificationResult*>(classification);
}

roformer_status roformer_classify_texts(const roformer_model* model, const char* const* texts, const size_t* lengths,
                                        const char* const* pairs, const size_t* pair_lengths, size_t count,
                                        roformer_matrix** scores, roformer_error* error) {
  return guarded(error, [&] {
    required(scores, "scores");
    const roformer_model& opened = required(model, "model");
    const std::vector<std::string_view> first = roformer::texts_of(texts, lengths, count);
    std::vector<roformer::Classification> found;
    if (pairs == nullptr) {
      found = opened.model.classify(first, opened.stop->token());
    } else {
      const std::vector<std::string_view> second = roformer::texts_of(pairs, pair_lengths, count);
      std::vector<std::pair<std::string_view, std::string_view>> both;
      for (size_t i = 0; i < count; ++i) both.emplace_back(first[i], second[i]);
      found = opened.model.classify(both, opened.stop->token());
    }
    roformer::Matrix rows{.rows = std::ssize(found), .columns = std::ssize(opened.model.labels()), .values = {}};
    for (const roformer::Classification& one : found) {
      for (const double score : one.scores) rows.values.push_back(static_cast<float>(score));
    }
    *scores = roformer::make_matrix(std::move(rows));
  });
}

roformer_status roformer_label_tokens(const roformer_model* model, const char* text, size_t length,
                                      roformer_token_labels** labels, roformer_error* error) {
  return guarded(error, [&] {
    required(labels, "labels");
    const roformer_model& opened = required(model, "model");
    auto result = std::make_unique<roformer::TokenLabelsResult>();
    result->found = opened.model.label_tokens(text_of(text, length), opened.stop->token());
    for (const roformer::LabeledToken& one : result->found) {
      result->list.push_back({one.token.c_str(), one.id, one.label.c_str(), one.score, one.offsets[0], one.offsets[1]});
    }
    static_cast<roformer_token_labels&>(*result) = {result->list.size(), result->list.data()};
    *labels = result.release();
  });
}

void roformer_token_labels_free(roformer_token_labels* labels) {
  delete static_cast<roformer::TokenLabelsResult*>(labels);
}

roformer_status roformer_answer_question(const roformer_model* model, const char* question, size_t question_length,
                                         const char* context, size_t context_length,
                                         const roformer_question_options* options, roformer_answer** answer,
                                         roformer_error* error) {
  return guarded(error, [&] {
    required(answer, "answer");
    const roformer_model& opened = required(model, "model");
    const std::string_view asked = text_of(question, question_length, "question");
    const std::string_view read = text_of(context, context_length, "context");
    auto result = std::make_unique<roformer::AnswerResult>();
    result->own = opened.model.answer(asked, read, roformer::question_of(options), opened.stop->token());
    const roformer::TextAnswer& found = result->own;
    static_cast<roformer_answer&>(*result) = {found.text.c_str(), found.text.size(), found.score, found.offsets[0],
                                              found.offsets[1]};
    *answer = result.release();
  });
}

void roformer_answer_free(roformer_answer* answer) { delete static_cast<roformer::AnswerResult*>(answer); }

roformer_status roformer_choose(const roformer_model* model, const char* prompt, size_t prompt_length,
                                const char* const* choices, const size_t* lengths, size_t count, double* probabilities,
                                roformer_error* error) {
  return guarded(error, [&] {
    const roformer_model& opened = required(model, "model");
    if (count > 0) required(probabilities, "probabilities");
    const std::vector<double> found = opened.model.choose(
        text_of(prompt, prompt_length, "prompt"), roformer::texts_of(choices, lengths, count), opened.stop->token());
    std::copy(found.begin(), found.end(), probabilities);
  });
}
