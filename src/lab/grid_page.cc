#include "lab/grid_page.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <set>

#include "base/file.h"
#include "lab/grid_differences.h"
#include "lab/varied_settings.h"
#include "metrics/statistics.h"
#include "report/metrics_log.h"
#include "report/svg_plot.h"
#include "training/run_report.h"
#include "training/unigram_baseline.h"

namespace roformer {

namespace {

std::string variant_name(const std::string& position, const std::string& scaling) {
  return scaling.empty() ? position : fmt::format("{}, {}", position, scaling);
}

bool evaluated(const GridPosition& position) {
  return std::ranges::any_of(position.runs, [](const GridRun& run) { return !run.lengths.empty(); });
}

PlotSeries length_series(const Grid& grid, const GridPosition& position, const std::string& scaling) {
  PlotSeries series{.name = variant_name(position.position, scaling), .points = {}, .low = {}, .high = {}};
  bool band = true;
  for (const int64_t length : grid.plan.lengths) {
    // A scaling begins where the text of training ends.
    const bool joint = !scaling.empty() && length == position.max_length;
    const std::vector<double> losses = position.length_losses(joint ? "" : scaling, length);
    if (losses.empty()) continue;
    const auto x = static_cast<double>(length);
    const auto [low, high] = std::ranges::minmax(losses);
    series.points.push_back({x, mean_interval(losses).mean});
    series.low.push_back({x, low});
    series.high.push_back({x, high});
    band = band && losses.size() > 1;
  }
  if (!band) series.low = series.high = {};
  return series;
}

PlotSeries place_series(const GridPosition& position, const std::string& scaling, int64_t length) {
  PlotSeries series{.name = variant_name(position.position, scaling), .points = {}, .low = {}, .high = {}};
  const std::vector<double> parts = position.part_losses(scaling, length);
  const double width = static_cast<double>(length) / static_cast<double>(std::max<size_t>(1, parts.size()));
  for (size_t i = 0; i < parts.size(); ++i) series.points.push_back({(static_cast<double>(i) + 0.5) * width, parts[i]});
  return series;
}

constexpr const char* kLossLabel = "loss (nats per predicted token)";

Plot length_plot(const Grid& grid, const std::string& of) {
  const auto trained = grid.common_max_length();
  return {
      .title = fmt::format("Loss by sequence length{}{}", of, trained ? fmt::format(" (trained at {})", *trained) : ""),
      .x_label = "sequence length (tokens)",
      .y_label = kLossLabel,
      .series = {}};
}

Plot place_plot(int64_t length, const std::string& of) {
  return {.title = fmt::format("Loss by position{} ({}-token sequences)", of, length),
          .x_label = "position",
          .y_label = kLossLabel,
          .series = {}};
}

// Without points the series is empty and unnamed: it takes up a color, so that an encoding has the same one in every
// plot of the grid.
void add_series(Plot& plot, PlotSeries series) {
  if (series.points.empty()) series = {};
  plot.series.push_back(std::move(series));
}

NamedPlot curves_plot(const Grid& grid) {
  Plot plot{.title = "Validation loss", .x_label = "step", .y_label = kLossLabel, .series = {}};
  std::vector<std::string> runs;
  for (const GridPosition& position : grid.positions) {
    std::vector<std::vector<PlotPoint>> curves;
    for (const GridRun& run : position.runs) {
      runs.push_back(run.directory);
      curves.push_back(metrics_curve(read_metrics_log(join_path(run.directory, "log.jsonl")), "validation", "loss"));
    }
    add_series(plot, summarize_curves(position.position, curves));
  }
  plot.levels = unigram_levels(runs);
  return {"validation-loss", std::move(plot)};
}

// The first row names the columns.
void add_rows(HtmlPage& page, const std::string& caption, const std::vector<std::vector<std::string>>& rows) {
  page.table({.caption = caption, .columns = rows[0], .rows = {rows.begin() + 1, rows.end()}});
}

void add_length_table(HtmlPage& page, const Grid& grid) {
  HtmlTable table{
      .caption = "Validation loss (nats per predicted token) by sequence length (tokens)", .columns = {""}, .rows = {}};
  HtmlTable reasons{.caption = "Missing values", .columns = {"", "reason"}, .rows = {}};
  for (const int64_t length : grid.plan.lengths) table.columns.push_back(std::to_string(length));
  for (const GridPosition& position : grid.positions) {
    if (!evaluated(position)) continue;
    for (const std::string& scaling : position.scalings()) {
      const std::string name = variant_name(position.position, scaling);
      table.rows.push_back({name});
      std::set<std::string> said;
      for (const int64_t length : grid.plan.lengths) {
        table.rows.back().push_back(interval_text(position.length_losses(scaling, length), 3));
        const std::string reason = position.reason(scaling, length);
        if (!reason.empty() && said.insert(reason).second) reasons.rows.push_back({name, reason});
      }
    }
  }
  page.table(table);
  if (!reasons.rows.empty()) page.table(reasons);
}

constexpr SvgSize kFigureSize{480, 320};

// `plots` are those of grid_plots(), the first of which is not about lengths.
void add_lengths(HtmlPage& page, const Grid& grid, const std::vector<NamedPlot>& plots) {
  page.heading("Sequences longer than in training");
  page.paragraph(
      "Finished models, evaluated on the validation text in sequences of each length. A name after a comma is the "
      "method that extends the encoding to longer sequences, with the same weights.");
  for (const auto& [name, plot] : plots | std::views::drop(1)) {
    page.figure(svg_plot(plot, kFigureSize));
  }
  add_length_table(page, grid);
}

// The results of testing the other variants against the best one.
std::string comparison_text(const std::vector<const GridPosition*>& variants, const GridPosition& best) {
  std::vector<std::string> same, untested;
  int64_t worse = 0;
  for (const GridPosition* variant : variants) {
    if (variant == &best) continue;
    switch (loss_difference(*variant, best).verdict) {
      case Verdict::untested: untested.push_back(variant->position); break;
      case Verdict::worse: ++worse; break;
      default: same.push_back(variant->position);
    }
  }
  std::string text;
  if (!same.empty()) {
    text = fmt::format(" Statistically indistinguishable from it ({}): {}.", kDifferenceTest, fmt::join(same, ", "));
    if (worse == 1) text += " The other variant has a significantly higher loss.";
    if (worse > 1) text += fmt::format(" The other {} variants have a significantly higher loss.", worse);
  } else if (worse > 0) {
    text = fmt::format(" The loss of {} is significantly higher ({}).",
                       worse == 1 ? "the other variant" : fmt::format("all {} other variants", worse), kDifferenceTest);
  }
  if (!untested.empty()) {
    text += fmt::format(" Not tested, as a test takes two seeds of both: {}.", fmt::join(untested, ", "));
  }
  return text;
}

}  // namespace

std::vector<NamedPlot> grid_plots(const Grid& grid) {
  std::vector<NamedPlot> plots = {curves_plot(grid)};
  drop_crowded_bands(plots[0].plot);
  if (grid.plan.lengths.empty() || std::ranges::none_of(grid.positions, evaluated)) return plots;
  const int64_t longest = std::ranges::max(grid.plan.lengths);
  NamedPlot lengths{"lengths", length_plot(grid, "")}, places{"places", place_plot(longest, "")};
  std::vector<NamedPlot> scaled;
  for (const GridPosition& position : grid.positions) {
    add_series(lengths.plot, length_series(grid, position, ""));
    add_series(places.plot, place_series(position, "", longest));
    const std::vector<std::string> scalings = position.scalings();
    if (scalings.size() < 2) continue;
    const std::string of = ": " + position.position, file = variant_file_name(position.position);
    scaled.push_back({"lengths-" + file, length_plot(grid, of)});
    for (const auto& s : scalings) add_series(scaled.back().plot, length_series(grid, position, s));
    scaled.push_back({"places-" + file, place_plot(longest, of)});
    for (const auto& s : scalings) add_series(scaled.back().plot, place_series(position, s, longest));
  }
  drop_crowded_bands(lengths.plot);
  plots.push_back(std::move(lengths));
  plots.push_back(std::move(places));
  std::ranges::move(scaled, std::back_inserter(plots));
  return plots;
}

std::string main_result(const Grid& grid) {
  std::vector<const GridPosition*> variants;
  for (const GridPosition& position : grid.positions) {
    if (!position.losses().empty()) variants.push_back(&position);
  }
  if (variants.empty()) return "No run has finished yet.";
  const auto mean = [](const GridPosition* position) { return mean_interval(position->losses()).mean; };
  const GridPosition& best = **std::ranges::min_element(variants, {}, mean);
  const std::vector<double> losses = best.losses();
  const std::string of_what =
      losses.size() == 1 ? "one run" : fmt::format("mean and 95 % confidence interval over {} seeds", losses.size());
  const std::string value = fmt::format("{} nats per predicted token ({})", interval_text(losses, 3), of_what);
  if (variants.size() == 1) return fmt::format("The validation loss of {} is {}.", best.position, value);
  return fmt::format("{} has the lowest validation loss: {}.{}", best.position, value, comparison_text(variants, best));
}

std::string grid_page(const Grid& grid, const std::string& title) {
  HtmlPage page(title);
  page.paragraph(main_result(grid));
  add_rows(page, "Results at the last step; validation loss in nats per predicted token", grid_table(grid));
  if (const auto rows = difference_table(grid); !rows.empty()) {
    add_rows(page,
             fmt::format("Differences in validation loss, seed by seed; mean ± 95 % interval, negative is better ({})",
                         kDifferenceTest),
             rows);
  }
  for (const std::string& note : grid.notes()) page.paragraph(note);
  const std::vector<NamedPlot> plots = grid_plots(grid);
  page.figure(svg_plot(plots[0].plot, kFigureSize));
  if (plots.size() > 1) add_lengths(page, grid, plots);

  std::vector<RunGroup> groups;
  for (const GridPosition& position : grid.positions) {
    RunGroup group{.name = position.position, .directories = {}};
    for (const GridRun& run : position.runs) {
      if (run.step > 0) group.directories.push_back(run.directory);
    }
    if (!group.directories.empty()) groups.push_back(std::move(group));
  }
  if (!groups.empty()) {
    page.heading("Training runs");
    add_runs(page, groups, {.validation_loss = false, .wall_clock_speed = false});
  }
  return page.finish();
}

void write_grid_report(const Grid& grid) {
  write_file_atomically(join_path(grid.directory, "results.json"), grid_json(grid).dump(1) + "\n");
  std::error_code ignored;
  const std::string name = short_name(std::filesystem::absolute(grid.directory, ignored).lexically_normal().string());
  write_file_atomically(join_path(grid.directory, "report.html"), grid_page(grid, "Position encodings in " + name));
  const std::string plots = join_path(grid.directory, "plots");
  make_directories(plots);
  for (const auto& [file, plot] : grid_plots(grid)) {
    write_file_atomically(join_path(plots, file + ".svg"), svg_plot(plot));
  }
}

}  // namespace roformer
