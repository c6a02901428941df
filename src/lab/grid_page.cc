#include "lab/grid_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "lab/varied_settings.h"
#include "report/metrics_log.h"
#include "report/statistics.h"
#include "report/svg_plot.h"
#include "training/run_report.h"

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

Plot length_plot(const Grid& grid, const std::string& of) {
  const auto trained = grid.common_max_length();
  return {.title = fmt::format("Loss by length of the text{}{}",
                               trained ? fmt::format(", trained at {}", *trained) : "", of),
          .x_label = "tokens a sequence",
          .y_label = "nats a label",
          .series = {}};
}

Plot place_plot(int64_t length, const std::string& of) {
  return {.title = fmt::format("Loss by place in texts of {} tokens{}", length, of),
          .x_label = "place",
          .y_label = "nats a label",
          .series = {}};
}

// Without points there is a line without a name instead: it takes a color, so that an encoding has the same in every
// plot of the grid.
void add_series(Plot& plot, PlotSeries series) {
  if (series.points.empty()) series = {};
  plot.series.push_back(std::move(series));
}

// Bands upon bands would hide the lines.
void drop_crowded_bands(Plot& plot) {
  constexpr size_t kMost = 7;
  if (plot.series.size() <= kMost) return;
  for (PlotSeries& series : plot.series) series.low = series.high = {};
}

NamedPlot curves_plot(const Grid& grid) {
  Plot plot{.title = "Validation loss", .x_label = "step", .y_label = "nats a label", .series = {}};
  for (const GridPosition& position : grid.positions) {
    std::vector<std::vector<PlotPoint>> curves;
    for (const GridRun& run : position.runs) {
      curves.push_back(metrics_curve(read_metrics_log(join_path(run.directory, "log.jsonl")), "validation", "loss"));
    }
    add_series(plot, summarize_curves(position.position, curves));
  }
  return {"validation-loss", std::move(plot)};
}

void add_length_table(HtmlPage& page, const Grid& grid) {
  HtmlTable table{.caption = "Loss by tokens a sequence", .columns = {""}, .rows = {}};
  HtmlTable reasons{.caption = "Why some are missing", .columns = {"", "reason"}, .rows = {}};
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

void add_lengths(HtmlPage& page, const Grid& grid, const std::vector<NamedPlot>& plots) {
  page.heading("Texts longer than in training");
  page.paragraph(
      "The finished models on the validation text, cut into sequences of each length. A name behind a comma is what "
      "stretched the encoding to that length, with the same weights.");
  for (const auto& [name, plot] : plots) {
    if (name == "validation-loss") continue;
    page.figure(svg_plot(plot, {560, 340 + 14 * static_cast<int>(plot.series.size())}));
  }
  add_length_table(page, grid);
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

std::string grid_page(const Grid& grid, const std::string& title) {
  HtmlPage page(title);
  auto rows = grid_table(grid);
  HtmlTable table{.caption = "At the last step, validation loss in nats a label", .columns = rows[0], .rows = {}};
  table.rows.assign(rows.begin() + 1, rows.end());
  page.table(table);
  for (const std::string& note : grid.notes()) page.paragraph(note);
  const std::vector<NamedPlot> plots = grid_plots(grid);
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
    page.heading("The trainings");
    add_runs(page, groups, {.wall_clock_speed = false});
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
    const SvgSize size{720, 420 + 8 * static_cast<int>(plot.series.size())};
    write_file_atomically(join_path(plots, file + ".svg"), svg_plot(plot, size));
  }
}

}  // namespace roformer
