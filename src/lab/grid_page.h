// The report of a grid of trainings.
#pragma once

#include <string>
#include <vector>

#include "lab/grid_results.h"
#include "report/html_page.h"
#include "report/plot.h"

namespace roformer {

// A plot with the name of its file, without the extension.
struct NamedPlot {
  std::string name;
  Plot plot;
};

// "validation-loss": curves, of up to seven with a band from the lowest to the highest seed. Where lengths were
// evaluated also "lengths": loss by sequence length, and "places": loss by position in the longest sequences;
// and of each encoding that can be scaled "lengths-NAME" and "places-NAME". An encoding has one color in all of them.
std::vector<NamedPlot> grid_plots(const Grid& grid);

// One or two sentences: the variant with the lowest mean validation loss, and which others are statistically
// indistinguishable from it, by a paired t-test over the seeds that both have.
std::string main_result(const Grid& grid);

// The main result, the table, plots, and what the runs logged.
std::string grid_page(const Grid& grid, const std::string& title);

// results.json, report.html and plots/*.svg in the grid's directory.
void write_grid_report(const Grid& grid);

}  // namespace roformer
