#include "report/metrics_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace roformer {
namespace {

constexpr int64_t kMaxLogBytes = int64_t{1} << 30;
constexpr size_t kMaxLineBytes = 1 << 20;

MetricsRecord to_record(const JsonObject& object) {
  MetricsRecord record;
  record.event = object.get_string("event", std::nullopt);
  record.step = object.get_int("step", std::nullopt, 0, int64_t{1} << 53);
  for (const auto& [key, value] : object.value().items()) {
    if (value.is_number() && key != "step") record.values.emplace(key, value.get<double>());
  }
  return record;
}

double interpolate(const std::vector<PlotPoint>& curve, double x) {
  const auto right =
      std::lower_bound(curve.begin(), curve.end(), x, [](const PlotPoint& point, double at) { return point.x < at; });
  if (right->x == x) return right->y;
  const PlotPoint &a = *std::prev(right), &b = *right;
  return a.y + (b.y - a.y) * ((x - a.x) / (b.x - a.x));
}

}  // namespace

std::vector<MetricsRecord> parse_metrics_log(std::string_view text, const std::string& source) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t content_end = text.find_last_not_of(kBlank);
  text = text.substr(0, content_end == std::string_view::npos ? 0 : content_end + 1);
  std::vector<MetricsRecord> records;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const bool last = end == std::string_view::npos;
    text.remove_prefix(last ? text.size() : end + 1);
    if (line.find_first_not_of(kBlank) == std::string_view::npos) continue;

    if (line.size() > kMaxLineBytes) {
      throw DataError("{}:{}: line of {} bytes; expected at most {}", FilePath(source), LineNumber(number), line.size(),
                      kMaxLineBytes);
    }
    const std::string place = fmt::format("{}:{}", source, number);
    bool parsed = false;
    try {
      Json value = parse_json(line, place);
      parsed = true;
      records.push_back(to_record(JsonObject(std::move(value), place)));
    } catch (const DataError& error) {
      if (last && !parsed) break;
      // Of the file, not of the text that a line is.
      const std::string_view reason = std::string_view(error.what()).substr(place.size());
      throw DataError("{}:{}{}", FilePath(source), LineNumber(number), KeyName(error.detail().key, reason));
    }
  }
  return records;
}

std::vector<MetricsRecord> read_metrics_log(const std::string& path) {
  return parse_metrics_log(read_file(path, kMaxLogBytes), path);
}

std::vector<PlotPoint> metrics_curve(const std::vector<MetricsRecord>& records, std::string_view event,
                                     std::string_view key) {
  std::vector<PlotPoint> curve;
  for (const MetricsRecord& record : records) {
    const auto value = record.values.find(std::string(key));
    if (record.event != event || value == record.values.end()) continue;
    const auto x = static_cast<double>(record.step);
    while (!curve.empty() && curve.back().x >= x) curve.pop_back();
    curve.push_back({x, value->second});
  }
  return curve;
}

PlotSeries summarize_curves(std::string name, const std::vector<std::vector<PlotPoint>>& curves) {
  PlotSeries series;
  series.name = std::move(name);
  std::vector<const std::vector<PlotPoint>*> runs;
  for (const auto& curve : curves) {
    if (!curve.empty()) runs.push_back(&curve);
  }
  if (runs.size() == 1) series.points = *runs[0];
  if (runs.size() <= 1) return series;

  double first = -std::numeric_limits<double>::infinity(), last = -first;
  std::set<double> steps;
  for (const auto* run : runs) {
    first = std::max(first, run->front().x);
    last = std::min(last, run->back().x);
    for (const PlotPoint& point : *run) steps.insert(point.x);
  }
  for (const double x : steps) {
    if (x < first || x > last) continue;
    double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low;
    for (const auto* run : runs) {
      const double y = interpolate(*run, x);
      sum += y;
      low = std::min(low, y);
      high = std::max(high, y);
    }
    series.points.push_back({x, sum / static_cast<double>(runs.size())});
    series.low.push_back({x, low});
    series.high.push_back({x, high});
  }
  return series;
}

}  // namespace roformer
