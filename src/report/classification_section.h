// What a person should see of a classification: scores, confusion matrix, calibration, and the errors worth reading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "metrics/calibration.h"
#include "metrics/classification.h"
#include "metrics/score_table.h"
#include "report/html_page.h"

namespace roformer {

struct WrongPrediction {
  std::string example;  // how the reader finds it: the file's id, or "line 17"
  double probability = 0;
  std::string gold, predicted;
  std::vector<std::string> texts;
};

struct ClassificationResult {
  ScoreTable scores;
  std::vector<std::string> labels;  // the names of the classes
  ConfusionMatrix matrix;
  std::vector<ReliabilityBin> bins;     // empty: no diagram
  std::vector<WrongPrediction> errors;  // in any order
};

// Metrics with their intervals, and the number of examples.
HtmlTable scores_table(const ScoreTable& scores);

// What to say below a reliability diagram.
extern const char* const kReliabilityCaption;

// The most confident errors first: a text column per text of the example, cut to `characters`.
HtmlTable error_table(std::vector<WrongPrediction> errors, int64_t rows = 50, int64_t characters = 400);

// Off the diagonal, the most frequent first, at most `rows`.
HtmlTable confused_pairs(const ConfusionMatrix& matrix, const std::vector<std::string>& labels, int64_t rows = 20);

// Precision, recall and F1 of each class.
HtmlTable class_table(const ConfusionMatrix& matrix, const std::vector<std::string>& labels);

// Appends all of it. ShapeError unless there is a label for each class.
void add_classification(HtmlPage& page, const ClassificationResult& result);

}  // namespace roformer
