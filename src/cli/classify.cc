// roformer classify: runs a model's classification head on texts.
#include "inference/classify.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "cli/registry.h"
#include "cli/sentence_vectors.h"
#include "inference/question_answering.h"

namespace roformer {
namespace {

struct ClassifyCommand {
  TextRunOptions run;
  std::optional<int64_t> max_length, stride;
  bool pair = false, align_to_words = true;
  double threshold = 0.5;
  int64_t max_answer_length = 30;
};

void describe(OptionSet& set, ClassifyCommand& options) {
  add_text_run(set, options.run);
  set.add("--pair", options.pair,
          "each item is two texts separated by a tab; implied by question answering (question, context) and multiple "
          "choice (a prompt and its choices)");
  add_max_length(set, options.max_length,
                 "truncate texts to this many tokens; question answering: read a long context in windows of this many "
                 "(default there: 384, or what the model can read); 0 = never");
  set.add("--stride", options.stride,
          "question answering: tokens of the context that two windows share (default: half a window, at most 128)",
          {0, 1 << 30});
  set.add("--threshold", options.threshold, "multi-label models: minimum probability of the labels to print", {0, 1});
  set.add("--max-answer-length", options.max_answer_length, "question answering: maximum number of tokens in an answer",
          {1, 1 << 20});
  set.add("--align-to-words", options.align_to_words,
          "question answering: extend answers to whole words, where tokens are parts of words");
}

std::string quoted(const std::string& text) { return dump_json(text); }

// {"a":0.9,"b":0.1} in the order of the labels.
std::string score_object(const std::vector<std::string>& labels, const std::vector<double>& scores) {
  std::string text = "{";
  for (size_t i = 0; i < labels.size(); ++i) {
    text += fmt::format("{}{}:{}", i > 0 ? "," : "", quoted(labels[i]), scores[i]);
  }
  return text + "}";
}

std::vector<size_t> labels_from(const std::vector<double>& scores, double threshold) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] >= threshold) chosen.push_back(i);
  }
  return chosen;
}

// Regression: the values are the label.
void write_numbers(const std::vector<std::string>& labels, const std::vector<double>& scores, bool json,
                   std::string& line) {
  for (size_t i = 0; i < scores.size(); ++i) line += fmt::format("{}{}", i == 0 ? "" : json ? "," : " ", scores[i]);
  if (!json) return;
  if (scores.size() > 1) line = "[" + line + "]";
  line = fmt::format("{{\"label\":{},\"scores\":{}}}", line, score_object(labels, scores));
}

void write_sequence(const ModelConfig& config, const std::vector<double>& scores, const ClassifyCommand& options,
                    std::string& line) {
  const bool json = options.run.json;
  if (config.problem == Problem::regression) return write_numbers(config.labels, scores, json, line);
  const size_t best = best_of(scores);
  if (config.problem == Problem::single_label || config.problem == Problem::score) {
    line = json ? fmt::format("{{\"label\":{},\"scores\":{}}}", quoted(config.labels[best]),
                              score_object(config.labels, scores))
                : fmt::format("{:.3f} {}", scores[best], config.labels[best]);
    return;
  }
  std::string names;
  for (const size_t i : labels_from(scores, options.threshold)) {
    if (!names.empty()) names += json ? "," : "  ";
    names += json ? quoted(config.labels[i]) : fmt::format("{:.3f} {}", scores[i], config.labels[i]);
  }
  line = json ? fmt::format("{{\"label\":{},\"labels\":[{}],\"scores\":{}}}", quoted(config.labels[best]), names,
                            score_object(config.labels, scores))
              : names;
}

void write_tokens(const Tokenizer& tokenizer, const ModelConfig& config, const std::vector<TokenLabel>& tokens,
                  const ClassifyCommand& options, std::string& line) {
  for (const TokenLabel& token : tokens) {
    const std::string &text = tokenizer.token(token.id), &label = config.labels[token.label];
    if (!options.run.json) {
      line += fmt::format("{}{}/{}", line.empty() ? "" : " ", text, label);
      continue;
    }
    line += fmt::format("{}{{\"token\":{},\"label\":{},\"score\":{},\"offsets\":[{},{}]", line.empty() ? "" : ",",
                        quoted(text), quoted(label), token.score, token.offsets[0], token.offsets[1]);
    line += options.pair ? fmt::format(",\"segment_id\":{}}}", token.segment) : "}";
  }
  if (options.run.json) line = "{\"tokens\":[" + line + "]}";
}

void write_answer(const Answer& answer, bool json, std::string& line) {
  line = json ? fmt::format("{{\"answer\":{},\"score\":{},\"offsets\":[{},{}]}}", quoted(answer.text), answer.score,
                            answer.offsets[0], answer.offsets[1])
              : fmt::format("{:.3f} {}", answer.score, answer.text);
}

// The choice with this number, from 0, of "prompt TAB choice TAB choice …".
std::string choice_text(std::string_view item, size_t number) {
  for (size_t i = 0; i <= number; ++i) item.remove_prefix(item.find('\t') + 1);
  return std::string(item.substr(0, item.find('\t')));
}

void write_choice(const TextItem& item, const std::vector<double>& scores, bool json, std::string& line) {
  const size_t best = best_of(scores);
  const std::string text = choice_text(item.text, best);
  if (!json) {
    line = fmt::format("{:.3f} {}", scores[best], text);
    return;
  }
  std::string list;
  for (const double score : scores) list += fmt::format("{}{}", list.empty() ? "" : ",", score);
  line = fmt::format("{{\"label\":{},\"choice\":{},\"scores\":[{}]}}", best, quoted(text), list);
}

AnswerBatch answerer(const Session& session, const ClassifyCommand& options,
                     const std::optional<LogitActivation>& activation) {
  const Model& model = session.model();
  const Tokenizer& tokenizer = session.tokenizer();
  // write(result, item, line) for the results of compute(batch).
  const auto with = [&model](auto compute, auto write) -> AnswerBatch {
    return [&model, compute, write](const TextBatch& batch, std::string& lines) {
      const auto results = compute(batch);
      append_lines(model.backend().pool(), results.size(), lines,
                   [&](size_t i, std::string& line) { write(results[i], batch.items[i], line); });
    };
  };
  const bool json = options.run.json;
  switch (model.config().head) {
    case Head::token_classification:
      return with([&](const TextBatch& batch) { return label_tokens(model, batch); },
                  [&](const auto& labels, const TextItem&, std::string& line) {
                    write_tokens(tokenizer, model.config(), labels, options, line);
                  });
    case Head::question_answering:
      return with(
          [&](const TextBatch& batch) {
            return answer_questions(
                model, tokenizer, batch,
                {.max_tokens = options.max_answer_length, .align_to_words = options.align_to_words});
          },
          [json](const Answer& answer, const TextItem&, std::string& line) { write_answer(answer, json, line); });
    case Head::multiple_choice:
      return with([&](const TextBatch& batch) { return choose(model, batch); },
                  [json](const auto& scores, const TextItem& item, std::string& line) {
                    write_choice(item, scores, json, line);
                  });
    default:
      return with([&model, activation](const TextBatch& batch) { return classify_sequences(model, batch, activation); },
                  [&](const auto& scores, const TextItem&, std::string& line) {
                    write_sequence(model.config(), scores, options, line);
                  });
  }
}

// JSON gives scores by label name.
void check_labels(const Session& session, const std::string& directory) {
  std::set<std::string> names;
  for (const std::string& label : session.model().config().labels) {
    if (!names.insert(label).second) {
      throw DataError("{}: '{}' names {} twice", FilePath(directory + "/config.json"), KeyName("id2label"),
                      quote(label));
    }
  }
}

void run(const ClassifyCommand& options) {
  const Session session(options.run.model, session_options(options.run));
  print_warnings(session.notes());
  check_labels(session, options.run.model);
  ClassifyOptions how{.pair = options.pair, .max_length = options.max_length, .stride = options.stride};
  SentenceScores scores;
  if (session.model().config().head == Head::sequence_classification) {
    scores = sentence_scores({.max_length = options.max_length}, sentence_modules_of(options.run.model),
                             session.model().config(), session.tokenizer());
    how.preparation = scores.texts.preparation;
    how.max_length.reset();
  }
  answer_texts("classify", options.run, session, encode_for_head(session.model(), session.tokenizer(), how),
               answerer(session, options, scores.activation), {.length_reason = scores.texts.length_reason});
}

}  // namespace

Command classify_command() {
  return {.name = "classify",
          .summary = "Run the model's classification head: label texts, pairs or tokens, answer questions, choose",
          .group = "Use",
          .example = "roformer classify --model model --json \"A wonderful film.\"",
          .prepare = prepare_with<ClassifyCommand>(describe, run)};
}

}  // namespace roformer
