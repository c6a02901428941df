// The results of a grid of fine-tunings as JSON, table and page.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "tasks/finetune_grid.h"
#include "tasks/saved_predictions.h"
#include "training/run_report.h"

namespace roformer {

// What all runs of a finished repetition predicted, one behind the other.
PredictedExamples repetition_predictions(const FinetuneGrid& grid, const FinetuneRepetition& repetition);

// results.json, and the line of `finetune --json`.
Json finetune_grid_json(const FinetuneGrid& grid);

// One row per learning rate, the first row the names of the columns: mean, sample deviation and Student's interval over
// seeds, and the best of them with its interval over examples.
std::vector<std::vector<std::string>> finetune_grid_table(const FinetuneGrid& grid);

// Which run is the best, in a sentence.
std::string best_run_text(const FinetuneGrid& grid);

// The runs that have started, a group per learning rate.
std::vector<RunGroup> finetune_run_groups(const FinetuneGrid& grid);

std::string finetune_grid_page(const FinetuneGrid& grid, const std::string& title);

// Writes results.json and report.html.
void write_finetune_grid_report(const FinetuneGrid& grid);

}  // namespace roformer
