// One labeled example of any task: texts and what is to be predicted from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace roformer {

enum class TaskKind {
  classification,        // one text or a pair → one of several labels
  multilabel,            // one text or a pair → any number of labels
  regression,            // one text or a pair → a number
  pair_similarity,       // a pair → how similar the texts are, from the vectors of both
  contrastive,           // texts that belong together, and perhaps one that does not: no labels
  triplet,               // A, B, C: whether A is more similar to B than to C
  token_classification,  // tokens → a tag each
  question_answering,    // a question and a context → the part of the context that answers
  multiple_choice        // a prompt and choices → the right choice
};

// An answer to a question, as the file has it.
struct AnswerSpan {
  std::string text;
  int64_t begin = -1;  // in code points of the context; -1: not given
};

// Which fields are used depends on the kind. An example of a file without labels has none of them.
struct Example {
  // One or two texts; A, B and C of a triplet; anchor, positive and perhaps negative of contrastive ones; the tokens of
  // token classification; question and context; the prompt and then the choices.
  std::vector<std::string> texts = {};
  std::vector<std::string> labels = {};  // the label, the labels of a multi-label task, or one tag per token
  double value = 0;                      // of regression and pair similarity
  // The index of the right choice, from 0. Of a triplet, 0 if A is more similar to B, 1 if to C; readers swap B and C
  // where needed, so that it is 0.
  int64_t choice = -1;
  std::vector<AnswerSpan> answers = {};  // all answers that count as right; the first is trained on
  bool labeled = true;
  std::string id = {};  // as the file says, else empty
  int64_t line =
      0;  // where it begins in the file, from 1; of one of SQuAD's or C3's documents, the number of its question
};

}  // namespace roformer
