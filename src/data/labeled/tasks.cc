#include "data/labeled/tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <utility>

#include "base/edit_distance.h"
#include "base/error.h"

namespace roformer {
namespace {

using Names = std::vector<std::string>;

const Names kAccuracy = {"accuracy"};
const Names kBinary = {"0", "1"};
const Names kSentiment = {"negative", "positive"};
const Names kEntailment = {"entailment", "not_entailment"};
const Names kInference = {"entailment", "neutral", "contradiction"};

Names numbers(int first, int last, std::initializer_list<int> without = {}) {
  Names names;
  for (int number = first; number <= last; ++number) {
    if (std::find(without.begin(), without.end(), number) == without.end()) names.push_back(std::to_string(number));
  }
  return names;
}

const std::vector<Positions> kPairThenLabel = {{.fields = 3, .texts = {1, 2}, .label = 3},
                                               {.fields = 2, .texts = {1, 2}}};
const std::vector<Positions> kLabelThenPair = {{.fields = 3, .texts = {2, 3}, .label = 1}};

std::vector<Task> generic_tasks() {
  return {
      {.name = "classification",
       .title = "one label for a text or a pair of texts",
       .kind = TaskKind::classification,
       .most_texts = 2,
       .metrics = {"accuracy", "macro_f1"},
       .columns = "text, perhaps text_pair, label"},
      {.name = "regression",
       .title = "a number for a text or a pair of texts",
       .kind = TaskKind::regression,
       .most_texts = 2,
       .metrics = {"pearson", "spearman"},
       .columns = "text, perhaps text_pair, label (a number)"},
      {.name = "multilabel",
       .title = "any number of labels for a text or a pair of texts",
       .kind = TaskKind::multilabel,
       .most_texts = 2,
       .metrics = {"micro_f1", "macro_f1"},
       .columns = "text, perhaps text_pair, labels (a JSON list, or separated by comma, semicolon or bar)"},
      {.name = "pair-similarity",
       .title = "how similar two texts are, from the vectors of both",
       .kind = TaskKind::pair_similarity,
       .least_texts = 2,
       .most_texts = 2,
       .metrics = {"spearman", "pearson"},
       .columns = "text, text_pair, label (a number)"},
      {.name = "contrastive",
       .title = "texts that belong together, and perhaps one that does not",
       .kind = TaskKind::contrastive,
       .least_texts = 2,
       .most_texts = 3,
       .metrics = {"accuracy", "mrr"},
       .columns = "anchor, positive, perhaps negative"},
      {.name = "roformer-sim",
       .title = "RoFormer-Sim: vectors of texts that mean the same, and writing one of them from the other",
       .kind = TaskKind::contrastive,
       .least_texts = 2,
       .most_texts = 2,
       .metrics = {"accuracy", "mrr"},
       .columns = "two texts",
       .max_length = 64,
       .generates = true},
      {.name = "triplet",
       .title = "which of two texts is more similar to a third",
       .kind = TaskKind::triplet,
       .least_texts = 3,
       .most_texts = 3,
       .metrics = kAccuracy,
       .columns = "A, B, C, perhaps label (B or C: the more similar one; without one it is B)",
       .max_length = 512},
      {.name = "token-classification",
       .title = "a tag for each token",
       .kind = TaskKind::token_classification,
       .least_texts = 0,
       .most_texts = 0,
       .metrics = {"f1", "accuracy"},
       .columns = "a token and its tag a line, a blank line after each sentence; or JSON with tokens and tags"},
      {.name = "question-answering",
       .title = "the part of a context that answers a question",
       .kind = TaskKind::question_answering,
       .least_texts = 2,
       .most_texts = 2,
       .metrics = {"f1", "exact_match"},
       .columns = "SQuAD's JSON (versions 1.1 and 2.0); or question, context, answers",
       .max_length = 384,
       .shape = FileShape::squad},
      {.name = "multiple-choice",
       .title = "the right one of several choices",
       .kind = TaskKind::multiple_choice,
       .metrics = kAccuracy,
       .columns = "prompt, choices, label (a number from 0, a letter, or the choice itself)",
       .max_length = 256},
  };
}

std::vector<Task> english_tasks() {
  const auto pair = [](Task task) {
    task.language = "en";
    task.least_texts = task.most_texts = 2;
    return task;
  };
  const auto single = [](Task task) {
    task.language = "en";
    return task;
  };
  return {
      single({.name = "cola",
              .title = "CoLA: is a sentence grammatical?",
              .labels = kBinary,
              .metrics = {"matthews", "accuracy"},
              .columns = "sentence, label; without a header: source, label, mark, sentence",
              .source = "Warstadt et al. 2019",
              .positions = {{.fields = 4, .texts = {4}, .label = 2}}}),
      single({.name = "sst-2",
              .title = "SST-2: sentiment of sentences from film reviews",
              .labels = kSentiment,
              .metrics = kAccuracy,
              .columns = "sentence, label",
              .source = "Socher et al. 2013"}),
      pair({.name = "mrpc",
            .title = "MRPC: do two sentences say the same?",
            .labels = kBinary,
            .metrics = {"f1", "accuracy"},
            .columns = "Quality, #1 ID, #2 ID, #1 String, #2 String, with or without this header; or sentence1, "
                       "sentence2, label",
            .source = "Dolan and Brockett 2005",
            .positions = {{.fields = 5, .texts = {4, 5}, .label = 1}}}),
      pair({.name = "sts-b",
            .title = "STS-B: how similar are two sentences, from 0 to 5?",
            .kind = TaskKind::regression,
            .metrics = {"spearman", "pearson"},
            .columns = "sentence1, sentence2, score; without a header: score and sentences are fields 5 to 7",
            .source = "Cer et al. 2017",
            .positions = {{.fields = 7, .or_more = true, .texts = {6, 7}, .label = 5}},
            .quoted_csv = false}),
      pair({.name = "qqp",
            .title = "QQP: do two questions ask the same?",
            .labels = kBinary,
            .metrics = {"f1", "accuracy"},
            .columns = "question1, question2, is_duplicate; or sentence1, sentence2, label",
            .source = "Iyer et al. 2017"}),
      pair({.name = "mnli",
            .title = "MNLI: does a hypothesis follow from a premise?",
            .labels = kInference,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, gold_label; without a header: label, sentence1, sentence2",
            .source = "Williams et al. 2018",
            .positions = kLabelThenPair}),
      pair({.name = "qnli",
            .title = "QNLI: does a sentence answer a question?",
            .labels = kEntailment,
            .metrics = kAccuracy,
            .columns = "question, sentence, label",
            .source = "Wang et al. 2018",
            .text_names = {{"question"}, {"sentence"}}}),
      pair({.name = "rte",
            .title = "RTE: does a hypothesis follow from a premise?",
            .labels = kEntailment,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, label; or premise, hypothesis, label",
            .source = "Bentivogli et al. 2009"}),
      pair({.name = "wnli",
            .title = "WNLI: does a sentence with its pronoun replaced follow?",
            .labels = kBinary,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, label",
            .source = "Levesque et al. 2012"}),
      pair({.name = "snli",
            .title = "SNLI: does a hypothesis follow from a premise?",
            .labels = kInference,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, gold_label; without a header: label, sentence1, sentence2",
            .source = "Bowman et al. 2015",
            .positions = kLabelThenPair}),
      pair({.name = "sick",
            .title = "SICK-E: does one sentence follow from another?",
            .labels = kInference,
            .metrics = kAccuracy,
            .columns = "sentence_A, sentence_B, entailment_judgment",
            .source = "Marelli et al. 2014",
            .label_names = {"entailment_judgment", "entailment_label", "label"}}),
      pair({.name = "sick-r",
            .title = "SICK-R: how related are two sentences, from 1 to 5?",
            .kind = TaskKind::regression,
            .metrics = {"spearman", "pearson"},
            .columns = "sentence_A, sentence_B, relatedness_score",
            .source = "Marelli et al. 2014",
            .label_names = {"relatedness_score", "score"}}),
      single({.name = "imdb",
              .title = "IMDB: sentiment of film reviews",
              .labels = kSentiment,
              .metrics = kAccuracy,
              .columns = "text, label",
              .source = "Maas et al. 2011",
              .max_length = 512}),
      single({.name = "conll2003",
              .title = "CoNLL-2003: persons, organizations, places and other names",
              .kind = TaskKind::token_classification,
              .least_texts = 0,
              .most_texts = 0,
              .metrics = {"f1", "accuracy"},
              .columns = "a token and its tag a line, a blank line after each sentence",
              .source = "Tjong Kim Sang and De Meulder 2003"}),
  };
}

std::vector<Task> chinese_tasks() {
  const auto chinese = [](Task task) {
    task.language = "zh";
    return task;
  };
  const auto pair = [](Task task) {
    task.language = "zh";
    task.least_texts = task.most_texts = 2;
    if (task.positions.empty() && task.shape == FileShape::records) task.positions = kPairThenLabel;
    return task;
  };
  return {
      pair({.name = "afqmc",
            .title = "AFQMC: do two questions of customers ask the same?",
            .labels = kBinary,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, label, with or without a header",
            .source = "CLUE, Xu et al. 2020"}),
      pair({.name = "lcqmc",
            .title = "LCQMC: do two questions ask the same?",
            .labels = kBinary,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, label, with or without a header",
            .source = "Liu et al. 2018"}),
      pair({.name = "sts-b-zh",
            .title = "STS-B in Chinese: how similar are two sentences, from 0 to 5?",
            .kind = TaskKind::regression,
            .metrics = {"spearman", "pearson"},
            .columns = "sentence1, sentence2, score, with or without a header",
            .source = "CNSD, 2019"}),
      pair({.name = "ocnli",
            .title = "OCNLI: does a hypothesis follow from a premise?",
            .labels = kInference,
            .metrics = kAccuracy,
            .columns = "sentence1, sentence2, label",
            .source = "Hu et al. 2020"}),
      chinese({.name = "chnsenticorp",
               .title = "ChnSentiCorp: sentiment of reviews",
               .labels = kSentiment,
               .metrics = kAccuracy,
               .columns = "text_a, label",
               .source = "Tan and Zhang 2008",
               .max_length = 256}),
      chinese({.name = "tnews",
               .title = "TNEWS: the topic of a headline",
               .labels = numbers(100, 116, {105, 111}),
               .metrics = kAccuracy,
               .columns = "sentence, label (100 to 116)",
               .source = "CLUE, Xu et al. 2020",
               .text_names = {{"sentence"}}}),
      chinese({.name = "iflytek",
               .title = "IFLYTEK: the category of an app by its description",
               .labels = numbers(0, 118),
               .metrics = kAccuracy,
               .columns = "sentence, label (0 to 118)",
               .source = "CLUE, Xu et al. 2020",
               .max_length = 512,
               .text_names = {{"sentence"}}}),
      pair({.name = "csl",
            .title = "CSL: are all keywords those of an abstract?",
            .labels = kBinary,
            .metrics = kAccuracy,
            .columns = "keyword (a list, joined by spaces), abst, label",
            .source = "CLUE, Xu et al. 2020",
            .max_length = 256,
            .text_names = {{"keyword"}, {"abst"}}}),
      chinese({.name = "cluewsc",
               .title = "CLUEWSC: does a pronoun mean the given noun?",
               .labels = {"false", "true"},
               .metrics = kAccuracy,
               .columns = "text, target (span1_text, span1_index, span2_text, span2_index), label",
               .source = "CLUE, Xu et al. 2020",
               .shape = FileShape::cluewsc,
               .text_names = {{"text"}}}),
      chinese({.name = "eprstmt",
               .title = "EPRSTMT: sentiment of product reviews",
               .labels = kSentiment,
               .metrics = kAccuracy,
               .columns = "sentence, label",
               .source = "FewCLUE, Xu et al. 2021",
               .text_names = {{"sentence"}}}),
      chinese({.name = "csldcp",
               .title = "CSLDCP: the discipline of an abstract",
               .metrics = kAccuracy,
               .columns = "content, label",
               .source = "FewCLUE, Xu et al. 2021",
               .max_length = 256,
               .text_names = {{"content"}}}),
      chinese({.name = "c3",
               .title = "C3: questions on dialogues and texts, with choices",
               .kind = TaskKind::multiple_choice,
               .metrics = kAccuracy,
               .columns = "JSON lists of a context, its questions with choices and answers, and an id",
               .source = "Sun et al. 2020",
               .max_length = 512,
               .shape = FileShape::c3}),
      chinese({.name = "chid",
               .title = "ChID: the idiom that fits into a passage",
               .kind = TaskKind::multiple_choice,
               .metrics = kAccuracy,
               .columns = "content (with #idiom#), candidates, answer (a number from 0)",
               .source = "Zheng et al. 2019",
               .max_length = 256,
               .shape = FileShape::chid,
               .text_names = {{"content"}}}),
      chinese({.name = "cmrc2018",
               .title = "CMRC 2018: the part of a text that answers a question",
               .kind = TaskKind::question_answering,
               .least_texts = 2,
               .most_texts = 2,
               .metrics = {"f1", "exact_match"},
               .columns = "SQuAD's JSON",
               .source = "Cui et al. 2019",
               .max_length = 512,
               .shape = FileShape::squad}),
      chinese({.name = "drcd",
               .title = "DRCD: the part of a text that answers a question, in traditional Chinese",
               .kind = TaskKind::question_answering,
               .least_texts = 2,
               .most_texts = 2,
               .metrics = {"f1", "exact_match"},
               .columns = "SQuAD's JSON",
               .source = "Shao et al. 2018",
               .max_length = 512,
               .shape = FileShape::squad}),
      chinese({.name = "cluener",
               .title = "CLUENER: names and titles of ten kinds",
               .kind = TaskKind::token_classification,
               .least_texts = 0,
               .most_texts = 0,
               .metrics = {"f1", "accuracy"},
               .columns = "text, label ({type: {entity: [[first, last]]}})",
               .source = "Xu et al. 2020",
               .shape = FileShape::cluener}),
      chinese({.name = "cail2019-scm",
               .title = "CAIL2019-SCM: which of two judgments is more similar to a third?",
               .kind = TaskKind::triplet,
               .least_texts = 3,
               .most_texts = 3,
               .metrics = kAccuracy,
               .columns = "A, B, C, perhaps label (B or C: the more similar one; without one it is B)",
               .source = "Xiao et al. 2019",
               .max_length = 1024}),
  };
}

std::string spelled_alike(std::string_view name) {
  std::string key;
  for (const char c : name) {
    if (c != '-' && c != '_') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return key;
}

}  // namespace

const std::vector<Task>& all_tasks() {
  static const std::vector<Task> tasks = [] {
    std::vector<Task> all;
    for (std::vector<Task>& group : std::array{generic_tasks(), english_tasks(), chinese_tasks()}) {
      std::move(group.begin(), group.end(), std::back_inserter(all));
    }
    return all;
  }();
  return tasks;
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const Task& task : all_tasks()) names.push_back(task.name);
  return names;
}

const Task& find_task(std::string_view name) {
  const std::string key = spelled_alike(name.substr(0, 100));
  const Task* nearest = nullptr;
  size_t nearest_distance = std::max<size_t>(2, key.size() / 3) + 1;
  for (const Task& task : all_tasks()) {
    const size_t distance = edit_distance(key, spelled_alike(task.name));
    if (distance == 0 && name.size() <= 100) return task;
    if (distance < nearest_distance) {
      nearest = &task;
      nearest_distance = distance;
    }
  }
  throw UsageError("unknown {} '{}'{}; expected one of {}", FieldName("task"), name.substr(0, 100),
                   nearest == nullptr ? "" : fmt::format("; did you mean {}?", nearest->name),
                   fmt::join(task_names(), " "));
}

const char* kind_name(TaskKind kind) {
  switch (kind) {
    case TaskKind::classification: return "classification";
    case TaskKind::multilabel: return "multilabel";
    case TaskKind::regression: return "regression";
    case TaskKind::pair_similarity: return "pair-similarity";
    case TaskKind::contrastive: return "contrastive";
    case TaskKind::triplet: return "triplet";
    case TaskKind::token_classification: return "token-classification";
    case TaskKind::question_answering: return "question-answering";
    case TaskKind::multiple_choice: return "multiple-choice";
  }
  return "";
}

}  // namespace roformer
