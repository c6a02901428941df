// Scores as lines of text.
#pragma once

#include <string>

#include "metrics/score_table.h"

namespace roformer {

// "accuracy   0.8461  (95 % interval 0.8311 to 0.8612)", a metric a line.
std::string score_lines(const ScoreTable& scores);

}  // namespace roformer
