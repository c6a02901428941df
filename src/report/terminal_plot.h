// Line plots for a terminal: braille dots (2 × 4 in a character cell), axes with numbers, a legend.
// It is for a glance at a loss curve; a report has svg_plot.h.
#pragma once

#include <string>

#include "report/plot.h"

namespace roformer {

struct TerminalPlotOptions {
  int columns = 80;      // of the whole plot; no line is longer. At least 30.
  int rows = 16;         // of the plotting area; at least 4
  bool color = false;    // ANSI colors, one a series
  bool unicode = false;  // braille; otherwise a letter-like mark a series
};

// Lines ending in '\n'. Levels are dashed. Bands are not drawn. Several series without color are told apart by marks,
// so braille is then used only for a single series.
std::string terminal_plot(const Plot& plot, const TerminalPlotOptions& options = {});

}  // namespace roformer
