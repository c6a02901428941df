// Short forms of labeled examples and their predictions, for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tasks/predictions.h"

namespace roformer::test {

inline Example example(std::vector<std::string> texts, std::vector<std::string> labels = {}) {
  Example result;
  result.texts = std::move(texts);
  result.labels = std::move(labels);
  result.line = 7;
  return result;
}

inline Prediction prediction(std::vector<std::vector<double>> outputs) {
  return {.outputs = std::move(outputs), .answer = {}};
}

}  // namespace roformer::test
