// roformer plot: loss curves of training directories, in the terminal and as SVG.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/registry.h"
#include "cli/run_groups.h"
#include "report/metrics_log.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"
#include "training/unigram_baseline.h"

namespace roformer {
namespace {

struct PlotCommand {
  std::vector<std::string> runs;
  std::string event = "validation", value = "loss", title, output;
};

void describe(OptionSet& set, PlotCommand& options) {
  set.add_positional("RUN", options.runs,
                     "training directory, or NAME=DIR,DIR,... for the mean of several runs with a band from the lowest "
                     "to the highest; a directory of compare, or of training directories, stands for all its runs");
  set.add_choice("--event", options.event, {"train", "validation"}, "event of log.jsonl to plot");
  set.add("--value", options.value, "value of the event to plot: loss, accuracy, learning_rate, ...", "NAME");
  set.add("--title", options.title, "title of the plot");
  set.add("--output", options.output, "also write an SVG file", "FILE");
}

PlotSeries read_series(const RunGroup& group, const PlotCommand& options) {
  std::vector<std::vector<PlotPoint>> curves;
  for (const std::string& directory : group.directories) {
    const auto records = read_metrics_log(join_path(directory, "log.jsonl"));
    curves.push_back(metrics_curve(records, options.event, options.value));
    if (curves.back().empty()) {
      throw DataError("{}: no {} of a {} event", FilePath(join_path(directory, "log.jsonl")), options.value,
                      options.event);
    }
  }
  return summarize_curves(group.name, curves);
}

void run(const PlotCommand& options) {
  if (options.runs.empty()) throw UsageError("no runs given, expected training directories");
  Plot plot{.title = options.title, .x_label = "step", .y_label = options.event + " " + options.value, .series = {}};
  std::vector<std::string> directories;
  for (const RunGroup& group : parse_run_groups(options.runs)) {
    plot.series.push_back(read_series(group, options));
    directories.insert(directories.end(), group.directories.begin(), group.directories.end());
  }
  if (options.event == "validation" && options.value == "loss") plot.levels = unigram_levels(directories);
  const TerminalStyle style = TerminalStyle::of(STDOUT_FILENO);
  std::cout << terminal_plot(plot, {.color = style.color, .unicode = style.unicode});
  if (!options.output.empty()) {
    write_file_atomically(options.output, svg_plot(plot));
    std::cerr << fmt::format("roformer: wrote {}\n", options.output);
  }
}

}  // namespace

Command plot_command() {
  return {.name = "plot",
          .summary = "Draw the loss curves of training directories",
          .group = "Look inside",
          .example = "roformer plot model --output loss.svg",
          .prepare = prepare_with<PlotCommand>(describe, run)};
}

}  // namespace roformer
