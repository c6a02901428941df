// roformer report: training runs, a model's attention, or the decay of rotary scores as one page.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/inapplicable_error.h"
#include "base/progress.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "cli/run_groups.h"
#include "cli/text_input.h"
#include "lab/attention_maps.h"
#include "lab/grid_page.h"
#include "position/decay.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"
#include "tasks/finetune_grid.h"
#include "tasks/finetune_grid_page.h"
#include "tasks/task_report.h"

namespace roformer {
namespace {

struct ReportCommand {
  std::vector<std::string> runs;
  std::string output, title;
  std::optional<std::string> text;
  std::string input;
  bool decay = false;
  int64_t dim = 128, max_distance = 256;
  double base = 10000;
  EngineOptions engine;
};

void describe(OptionSet& set, ReportCommand& options) {
  set.add_positional("DIR", options.runs,
                     "training directory, or NAME=DIR,DIR,... for the mean of several runs with a band from the lowest "
                     "to the highest; a directory of compare or of several runs of finetune, or of training "
                     "directories, stands for all its runs; with --text or "
                     "--input one model directory");
  set.add("--output", options.output,
          "the HTML file to write (with --decay also .svg; default for a directory of several runs: its report.html, "
          "with its "
          "other results)",
          "FILE");
  set.add("--title", options.title, "title of the page");
  set.section("A model's attention");
  set.add("--text", options.text, "draw the attention maps of this text");
  set.add("--input", options.input, "more texts, one per line, for the scores by distance", "FILE");
  add_engine(set, options.engine);
  set.section("The long-term decay of rotary scores (Eq. 35-37 of the paper)");
  set.add("--decay", options.decay, "plot the mean of |S_i| by distance; takes no DIR");
  set.add("--dim", options.dim, "rotary dimension", {2, 8192});
  set.add("--max-distance", options.max_distance, "largest distance", {1, 65536});
  set.add("--base", options.base, "base of the frequencies", {1, 1e12, true, false});
}

bool has_log(const std::string& directory) { return exists(join_path(directory, "log.jsonl")); }

// One fine-tuning has its result before its curves.
HtmlPage run_page(const ReportCommand& options) {
  const std::vector<RunGroup> groups = parse_run_groups(options.runs);
  const std::string title = groups.size() == 1 ? "Training of " + groups[0].name : "Training runs";
  HtmlPage page(options.title.empty() ? title : options.title);
  const auto is_task = [](const std::string& directory) { return has_task_result(directory); };
  const bool tasks = std::ranges::all_of(
      groups, [&](const RunGroup& group) { return std::ranges::all_of(group.directories, is_task); });
  if (tasks && groups.size() == 1 && groups[0].directories.size() == 1) {
    add_task_result(page, read_task_result(groups[0].directories[0]));
    page.heading("Training");
  }
  RunsShown shown{.wall_clock_speed = !are_compared(groups)};
  if (tasks) shown.loss_unit = "loss";
  add_runs(page, groups, shown);
  return page;
}

// The same files as compare or finetune write, or the page alone.
void write_grid(const ReportCommand& options) {
  if (options.output.empty() && !options.title.empty()) {
    throw InapplicableError("{} requires {}", FieldName("title"), FieldName("output"));
  }
  if (is_finetune_grid(options.runs[0])) {
    ThreadPool pool(1);
    const FinetuneGrid grid = read_finetune_grid(options.runs[0], pool);
    if (options.output.empty()) return write_finetune_grid_report(grid);
    const std::string title = fmt::format("{}: {}", short_name(options.runs[0]), grid.task);
    write_file_atomically(options.output, finetune_grid_page(grid, options.title.empty() ? title : options.title));
    return;
  }
  const Grid grid = read_grid(options.runs[0]);
  if (options.output.empty()) return write_grid_report(grid);
  const std::string title = "Position encodings in " + short_name(options.runs[0]);
  write_file_atomically(options.output, grid_page(grid, options.title.empty() ? title : options.title));
}

HtmlPage model_page(const ReportCommand& options) {
  if (options.runs.size() != 1) {
    throw UsageError("{} and {} expect one model directory, got {}", FieldName("text"), FieldName("input"),
                     options.runs.size());
  }
  const std::string& directory = options.runs[0];
  const Session session(directory, {.engine = options.engine});
  print_warnings(session.notes());

  HtmlPage page(options.title.empty() ? "Inside " + short_name(directory) : options.title);
  if (has_log(directory)) {
    page.heading("Training");
    add_runs(page, {{short_name(directory), {directory}}});
  }
  ScoresByDistance scores(session.model(), session.tokenizer());
  if (options.text) {
    add_attention_maps(page, attention_maps(session.model(), session.tokenizer(), *options.text));
    scores.add(*options.text);
  }
  if (!options.input.empty()) {
    TextReader reader({.texts = {}, .input = options.input});
    Progress progress({.label = "report", .unit = "text"});
    for (std::string text; reader.next(text); progress.update(scores.texts())) scores.add(text);
    progress.finish();
  }
  if (scores.texts() > 0) add_scores_by_distance(page, scores);
  return page;
}

Plot decay_plot(const ReportCommand& options) {
  const RotaryFrequencies frequencies({options.dim, RotaryLayout::adjacent, options.base});
  Plot plot{.title = fmt::format("Long-term decay of rotary scores, d = {}, base {}", options.dim, options.base),
            .x_label = "relative distance",
            .y_label = "mean of |S_i|",
            .series = {{}}};
  for (int64_t distance = 0; distance <= options.max_distance; ++distance) {
    plot.series[0].points.push_back({static_cast<double>(distance), rotary_decay(frequencies, distance)});
  }
  if (!options.title.empty()) plot.title = options.title;
  return plot;
}

void write_decay(const ReportCommand& options) {
  if (!options.runs.empty()) throw UsageError("{} needs no model or training and takes no DIR", FieldName("decay"));
  const bool svg = options.output.ends_with(".svg");
  if (!svg && !options.output.ends_with(".html")) {
    throw UsageError("{} is {}, expected a name that ends in .html or .svg", FieldName("output"),
                     quote(options.output));
  }
  const Plot plot = decay_plot(options);
  const TerminalStyle style = TerminalStyle::of(STDOUT_FILENO);
  std::cout << terminal_plot(plot, {.color = style.color, .unicode = style.unicode});
  if (svg) {
    write_file_atomically(options.output, svg_plot(plot));
    return;
  }
  HtmlPage page(plot.title);
  page.paragraph(
      "The score of a query and a key at distance r is the real part of the sum of h_i exp(i r θ_i) over the pairs of "
      "elements. With the partial sums S_i of exp(i r θ_i), Abel's summation bounds it by max |h_(i+1) − h_i| times "
      "the sum of |S_i| (Eq. 35 to 37 of the RoFormer paper). Drawn is the mean of |S_i|: the larger the distance, the "
      "smaller the scores can be.");
  page.figure(svg_plot(plot));
  write_file_atomically(options.output, page.finish());
}

void run(const ReportCommand& options) {
  const bool model = options.text || !options.input.empty();
  const bool grid = options.runs.size() == 1 && !model && !options.decay &&
                    (is_grid(options.runs[0]) || is_finetune_grid(options.runs[0]));
  if (options.output.empty() && !grid) throw UsageError("--output FILE is required");
  if (options.decay && model) {
    throw InapplicableError("{} uses no model, expected neither {} nor {}", FieldName("decay"), FieldName("text"),
                            FieldName("input"));
  }
  if (options.decay) {
    write_decay(options);
  } else if (grid) {
    write_grid(options);
  } else {
    if (options.runs.empty()) throw UsageError("no directories given, expected training directories, or --decay");
    write_file_atomically(options.output, (model ? model_page(options) : run_page(options)).finish());
  }
  std::cerr << fmt::format("roformer: wrote {}\n",
                           options.output.empty() ? join_path(options.runs[0], "report.html") : options.output);
}

}  // namespace

Command report_command() {
  return {.name = "report",
          .summary = "Show training runs, attention or rotary decay as one HTML page",
          .group = "Look inside",
          .example = "roformer report rotary=run-1,run-2 none=run-3,run-4 --output report.html",
          .prepare = prepare_with<ReportCommand>(describe, run)};
}

}  // namespace roformer
