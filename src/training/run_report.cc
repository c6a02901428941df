#include "training/run_report.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "metrics/statistics.h"
#include "models/config.h"
#include "report/metrics_log.h"
#include "report/svg_plot.h"
#include "training/run_samples.h"
#include "training/run_settings.h"
#include "training/settings_rows.h"
#include "training/unigram_baseline.h"

namespace roformer {
namespace {

constexpr const char* kUnknown = "–";

struct Run {
  std::vector<MetricsRecord> records;
  std::map<std::string, std::string> settings;
  std::optional<int64_t> parameters;
  std::optional<double> unigram_loss;
};

struct Group {
  std::string name;
  std::vector<Run> runs;

  std::vector<std::vector<PlotPoint>> curves(const std::string& event, const std::string& key) const {
    std::vector<std::vector<PlotPoint>> result;
    for (const Run& run : runs) result.push_back(metrics_curve(run.records, event, key));
    return result;
  }
};

Run read_run(const std::string& directory) {
  Run run;
  const std::string log = join_path(directory, "log.jsonl");
  run.records = read_metrics_log(log);
  if (run.records.empty()) throw DataError("{}: holds no events", FilePath(log));
  const std::string settings = join_path(directory, "training/settings.json");
  if (exists(settings)) {
    for (auto& [name, value] : settings_rows(JsonObject::read(settings, kMaxSettingsBytes).value())) {
      run.settings[name] = std::move(value);
    }
  }
  const std::string config = join_path(directory, "config.json");
  run.unigram_loss = read_unigram_loss(directory);
  if (exists(config)) run.parameters = read_config(config).parameters();
  return run;
}

// Truncates a name, between characters, to fit a plot's legend.
std::string legend_name(const std::string& name) {
  constexpr size_t kMaxLegendBytes = 40;
  if (name.size() <= kMaxLegendBytes) return name;
  size_t end = kMaxLegendBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return name.substr(0, end) + "…";
}

// Metrics with a title, in display order; others follow under their keys.
struct Metric {
  std::string event, key, title, unit;
  double scale = 1;                  // from the log's unit
  std::vector<double> y_shown = {};  // Plot::y_shown
};
const std::vector<Metric>& known_metrics() {
  static const std::vector<Metric> metrics = {
      {"validation", "loss", "Validation loss", "loss"},
      {"train", "loss", "Training loss", "loss"},
      {"validation", "accuracy", "Validation accuracy", "accuracy (%)", 100},
      {"validation", "perplexity", "Validation perplexity", "perplexity"},
      {"validation", "bits_per_character", "Validation bits per character", "bits per character"},
      {"validation", "bleu", "Validation BLEU", "BLEU"},
      {"validation", "chrf", "Validation chrF", "chrF"},
      {"train", "learning_rate", "Learning rate", "learning rate"},
      {"train", "gradient_norm", "Gradient norm", "norm before clipping"},
      {"train", "tokens_per_second", "Training speed", "tokens/s"},
      {"train", "tokens_per_cpu_second", "Training speed by CPU time", "tokens per CPU second"},
      {"train", "data_wait", "Waiting for data", "% of the time", 100, {0, 100}},
  };
  return metrics;
}

std::vector<Metric> metrics_of(const std::vector<Group>& groups, const RunsShown& shown) {
  std::set<std::pair<std::string, std::string>> found;
  for (const Group& group : groups) {
    for (const Run& run : group.runs) {
      for (const MetricsRecord& record : run.records) {
        for (const auto& [key, value] : record.values) found.emplace(record.event, key);
      }
    }
  }
  found.erase({"train", "tokens"});  // redundant with the step
  for (const char* event : {"train", "validation"}) found.erase({event, "stage"});
  // These mark validations, or are one beside the curve.
  std::erase_if(found, [](const auto& metric) {
    return metric.first == "best" || metric.first == "early_stop" || metric.first == "average";
  });
  if (!shown.wall_clock_speed) found.erase({"train", "tokens_per_second"});
  std::vector<Metric> metrics;
  for (const Metric& metric : known_metrics()) {
    if (found.erase({metric.event, metric.key}) == 0) continue;
    metrics.push_back(metric);
    if (metric.key == "loss") metrics.back().unit = shown.loss_unit;
  }
  for (const auto& [event, key] : found) {
    std::string title = fmt::format("{} {}", event, key);
    if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
    metrics.push_back({event, key, std::move(title), key});
  }
  return metrics;
}

// Many names stand beside the lines and need some width.
SvgSize plot_size(size_t series) {
  constexpr size_t kFew = 5;
  return series > kFew ? SvgSize{480, 320} : SvgSize{440, 300};
}

PlotSeries metric_series(const std::string& name, const Group& group, const Metric& metric) {
  std::vector<std::vector<PlotPoint>> curves = group.curves(metric.event, metric.key);
  for (auto& curve : curves) {
    for (PlotPoint& point : curve) point.y *= metric.scale;
  }
  return summarize_curves(name, curves);
}

void add_plots(HtmlPage& page, const std::vector<Group>& groups, const std::vector<PlotLevel>& unigram,
               const RunsShown& shown) {
  std::vector<Metric> metrics = metrics_of(groups, shown);
  // A single group's losses share a plot.
  if (groups.size() == 1 && metrics.size() >= 2 && metrics[0].key == "loss" && metrics[1].key == "loss") {
    Plot plot{.title = "Loss", .x_label = "step", .y_label = metrics[0].unit, .series = {}};
    plot.series.push_back(metric_series("training", groups[0], metrics[1]));
    plot.series.push_back(metric_series("validation", groups[0], metrics[0]));
    plot.levels = unigram;
    page.figure(svg_plot(plot, plot_size(plot.series.size())));
    metrics.erase(metrics.begin(), metrics.begin() + 2);
  }
  if (!shown.validation_loss) {
    std::erase_if(metrics, [](const Metric& m) { return m.event == "validation" && m.key == "loss"; });
  }
  for (const Metric& metric : metrics) {
    Plot plot{.title = metric.title, .x_label = "step", .y_label = metric.unit, .series = {}};
    plot.y_shown = metric.y_shown;
    if (metric.event == "validation" && metric.key == "loss") plot.levels = unigram;
    for (const Group& group : groups) {
      const std::string name = groups.size() == 1 ? "" : legend_name(group.name);
      plot.series.push_back(metric_series(name, group, metric));
    }
    drop_crowded_bands(plot);
    page.figure(svg_plot(plot, plot_size(plot.series.size())));
  }
}

// 1234567 as "1,234,567".
std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = std::ssize(text) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), 1, ',');
  return text;
}

std::vector<double> final_values(const Group& group, const std::string& event, const std::string& key, double unit) {
  std::vector<double> values;
  for (const auto& curve : group.curves(event, key)) {
    if (!curve.empty()) values.push_back(curve.back().y * unit);
  }
  return values;
}

std::vector<double> median_speeds(const Group& group, const std::string& key) {
  std::vector<double> medians;
  for (const auto& curve : group.curves("train", key)) {
    std::vector<double> speeds;
    speeds.reserve(curve.size());
    for (const PlotPoint& point : curve) speeds.push_back(point.y);
    if (!speeds.empty()) medians.push_back(median(speeds));
  }
  return medians;
}

std::vector<double> unigram_losses(const Group& group) {
  std::vector<double> losses;
  for (const Run& run : group.runs) {
    if (run.unigram_loss) losses.push_back(*run.unigram_loss);
  }
  return losses;
}

// Distinct values of all runs, in the order of the runs.
std::string distinct_text(const std::vector<std::string>& values, std::string_view separator = ", ") {
  std::vector<std::string> texts;
  for (const std::string& text : values) {
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return fmt::format("{}", fmt::join(texts, separator));
}

std::string tokens_text(const Group& group) {
  const std::vector<double> values = final_values(group, "train", "tokens", 1);
  double sum = 0;
  for (const double value : values) sum += std::clamp(value, 0.0, 1e15);
  return values.empty() ? kUnknown : grouped(std::llround(sum / static_cast<double>(values.size())));
}

std::string steps_text(const Group& group) {
  std::vector<std::string> texts;
  for (const Run& run : group.runs) {
    const std::string step = std::to_string(run.records.back().step);
    const auto planned = run.settings.find("steps");
    const bool finished = planned == run.settings.end() || planned->second == step;
    texts.push_back(finished ? step : step + " of " + planned->second);
  }
  return distinct_text(texts);
}

void add_results(HtmlPage& page, const std::vector<Group>& groups, const RunsShown& shown) {
  HtmlTable table{
      .caption = "Final values; mean ± 95 % confidence interval (Student's t) over runs with different seeds",
      .columns = {"", "runs", "parameters", "steps", "tokens", "validation loss", "accuracy (%)", "training loss",
                  shown.wall_clock_speed ? "tokens/s (median)" : "tokens per CPU second (median)"},
      .rows = {}};
  const auto has_unigram = [](const Group& group) { return !unigram_losses(group).empty(); };
  const bool unigram = std::any_of(groups.begin(), groups.end(), has_unigram);
  constexpr std::ptrdiff_t kAfterLoss = 6;
  if (unigram) table.columns.insert(table.columns.begin() + kAfterLoss, "unigram");
  const auto bleu_of = [](const Group& group) { return final_values(group, "validation", "bleu", 1); };
  const bool translates = std::ranges::any_of(groups, [&](const Group& group) { return !bleu_of(group).empty(); });
  if (translates) table.columns.insert(table.columns.begin() + kAfterLoss, "BLEU");
  for (const Group& group : groups) {
    std::vector<std::string> parameters;
    for (const Run& run : group.runs) {
      if (run.parameters) parameters.push_back(grouped(*run.parameters));
    }
    table.rows.push_back(
        {group.name, std::to_string(group.runs.size()), parameters.empty() ? kUnknown : distinct_text(parameters, "; "),
         steps_text(group), tokens_text(group), interval_text(final_values(group, "validation", "loss", 1), 4),
         interval_text(final_values(group, "validation", "accuracy", 100), 2),
         interval_text(final_values(group, "train", "loss", 1), 4),
         interval_text(median_speeds(group, shown.wall_clock_speed ? "tokens_per_second" : "tokens_per_cpu_second"),
                       0)});
    std::vector<std::string>& row = table.rows.back();
    if (unigram) row.insert(row.begin() + kAfterLoss, interval_text(unigram_losses(group), 4));
    if (translates) row.insert(row.begin() + kAfterLoss, interval_text(bleu_of(group), 2));
  }
  page.table(table);
}

void add_settings(HtmlPage& page, const std::vector<Group>& groups) {
  std::set<std::string> names;
  for (const Group& group : groups) {
    for (const Run& run : group.runs) {
      for (const auto& [name, value] : run.settings) names.insert(name);
    }
  }
  HtmlTable differing{.caption = "Settings that differ", .columns = {"setting"}, .rows = {}};
  HtmlTable common{.caption = "Settings shared by all runs", .columns = {"setting", "value"}, .rows = {}};
  for (const Group& group : groups) differing.columns.push_back(group.name);
  for (const std::string& name : names) {
    std::vector<std::string> all, row = {name};
    for (const Group& group : groups) {
      std::vector<std::string> values;
      for (const Run& run : group.runs) {
        const auto found = run.settings.find(name);
        values.push_back(found == run.settings.end() ? kUnknown : found->second);
      }
      row.push_back(distinct_text(values));
      all.insert(all.end(), values.begin(), values.end());
    }
    if (std::set<std::string>(all.begin(), all.end()).size() > 1) {
      differing.rows.push_back(row);
    } else {
      common.rows.push_back({name, all.front()});
    }
  }
  if (!differing.rows.empty()) page.table(differing);
  if (!common.rows.empty()) page.folded_table(common.caption, common);
}

void add_samples(HtmlPage& page, const std::string& directory) {
  const std::optional<RunSamples> samples = read_samples(directory);
  if (!samples) return;
  page.table(
      {.caption = "Samples of the last validation", .columns = samples->columns, .rows = samples->rows, .prose = true});
}

}  // namespace

std::string short_name(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  const size_t slash = path.find_last_of('/', end);
  const size_t begin = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(begin, end + 1 - begin);
}

void add_runs(HtmlPage& page, const std::vector<RunGroup>& groups, const RunsShown& shown) {
  std::vector<Group> read;
  std::vector<std::string> directories;
  for (const RunGroup& group : groups) {
    read.push_back({group.name, {}});
    for (const std::string& directory : group.directories) {
      read.back().runs.push_back(read_run(directory));
      directories.push_back(directory);
    }
  }
  add_results(page, read, shown);
  const bool bands = std::any_of(read.begin(), read.end(), [](const Group& group) { return group.runs.size() > 1; });
  if (bands)
    page.paragraph(
        "Lines are means over the runs of a setting; bands (of up to seven settings) span the lowest to the highest.");
  add_plots(page, read, unigram_levels(directories), shown);
  if (directories.size() == 1) add_samples(page, directories.front());
  add_settings(page, read);
}

void write_run_report(const std::string& directory, const std::string& path, const RunsShown& shown) {
  std::error_code ignored;
  const std::string name = short_name(std::filesystem::absolute(directory, ignored).lexically_normal().string());
  HtmlPage page("Training of " + name);
  add_runs(page, {{name, {directory}}}, shown);
  write_file_atomically(path, page.finish());
}

}  // namespace roformer
