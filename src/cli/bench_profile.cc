#include "cli/bench_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace roformer {

namespace {

using Row = std::pair<std::string, Profile::Entry>;

// By time; the last row is the time outside of kernels.
std::vector<Row> rows_of(const Profile::Entries& profile, const ProfiledTime& time) {
  std::vector<Row> rows(profile.begin(), profile.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.second.seconds > b.second.seconds; });
  double rest = time.measured;
  for (const Row& row : rows) rest -= row.second.seconds;
  rows.emplace_back("everything else", Profile::Entry{.calls = 0, .seconds = std::max(0.0, rest)});
  return rows;
}

// One decimal in a column, or nothing.
std::string number(double value, int width) {
  return value > 0 ? fmt::format("{:>{}.1f}", value, width) : std::string(static_cast<size_t>(width), ' ');
}

// The fraction of the peak of products, or of copies too large for any cache, which only cached data can exceed.
std::string share_of_peak(double products, double moved, double peak) {
  if (peak <= 0 || std::max(products, moved) <= 0) return "";
  if (products <= 0 && moved > peak) return "in cache";
  return fmt::format("{:>7.0f}%", std::max(products, moved) / peak * 100);
}

// The peak that applies to an operator: that of float32 where this CPU has no other instructions.
double product_peak(const std::string& name, const MachinePeaks& peaks, Precision precision) {
  const bool layer = name != "attention" && name != "attention, backward";
  double peak = precision == Precision::float32 ? 0 : peaks.bfloat16;
  if (precision == Precision::int8 && layer) peak = peaks.int8;
  return peak > 0 ? peak : peaks.float32;
}

}  // namespace

std::string profile_table(const Profile::Entries& profile, const ProfiledTime& time, const MachinePeaks& peaks,
                          Precision precision) {
  const auto passes = static_cast<double>(time.passes);
  std::string text = fmt::format("{:<28} {:>10} {:>7} {:>9} {:>8} {:>8}\n", "operator", "ms a pass", "share", "GFLOP/s",
                                 "GB/s", "of peak");
  for (const auto& [name, entry] : rows_of(profile, time)) {
    const double rate = entry.seconds > 0 ? 1 / entry.seconds : 0;
    const double products = entry.operations * rate, moved = entry.bytes * rate;
    const double peak = products > 0 ? product_peak(name, peaks, precision) : peaks.bandwidth;
    text += fmt::format("{:<28} {:>10.3f} {:>6.1f}% {} {} {}\n", name, entry.seconds / passes * 1e3,
                        entry.seconds / time.measured * 100, number(products / 1e9, 9), number(moved / 1e9, 8),
                        share_of_peak(products, moved, peak));
  }
  text += peaks_line(peaks);
  if (text.find("in cache") != std::string::npos) {
    text += "in cache: faster than copies from memory to memory, so the data were in cache.\n";
  }
  return text;
}

std::string peaks_line(const MachinePeaks& peaks) {
  std::string products = fmt::format("{:.0f} GFLOP/s in float32", peaks.float32 / 1e9);
  if (peaks.registers > 0) products += fmt::format(" ({:.0f} by registers alone)", peaks.registers / 1e9);
  if (peaks.bfloat16 > 0) products += fmt::format(", {:.0f} in bfloat16", peaks.bfloat16 / 1e9);
  if (peaks.int8 > 0) products += fmt::format(", {:.0f} in int8", peaks.int8 / 1e9);
  return fmt::format("This machine's measured peaks: {}; {:.1f} GB/s copied.\n", products, peaks.bandwidth / 1e9);
}

Json profile_json(const Profile::Entries& profile, const ProfiledTime& time) {
  Json rows = Json::array();
  for (const auto& [name, entry] : rows_of(profile, time)) {
    rows.push_back({{"operator", name},
                    {"calls", entry.calls},
                    {"seconds", entry.seconds / static_cast<double>(time.passes)},
                    {"share", entry.seconds / time.measured},
                    {"operations", entry.operations / static_cast<double>(time.passes)},
                    {"bytes", entry.bytes / static_cast<double>(time.passes)}});
  }
  return rows;
}

Json peaks_json(const MachinePeaks& peaks) {
  return {{"float32", peaks.float32},
          {"registers", peaks.registers},
          {"bfloat16", peaks.bfloat16},
          {"int8", peaks.int8},
          {"bandwidth", peaks.bandwidth}};
}

Json trace_json(const Profile& profile) {
  using Microseconds = std::chrono::duration<double, std::micro>;
  Json events = Json::array();
  const auto& calls = profile.events();
  if (calls.empty()) return {{"traceEvents", events}};
  const auto first = std::ranges::min_element(calls, {}, &Profile::Event::begin)->begin;
  for (const Profile::Event& call : calls) {
    events.push_back({{"name", call.name},
                      {"ph", "X"},  // a whole event: begin and duration
                      {"pid", 0},
                      {"tid", call.thread},
                      {"ts", Microseconds(call.begin - first).count()},
                      {"dur", Microseconds(call.end - call.begin).count()}});
  }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

std::string grid_table(const WorkGrid& grid) {
  std::string text = fmt::format(
      "{} cores, if memory and caches kept up: {:.3f} ms a pass, cores busy {:.0f} % of it; {:.3f} ms outside of "
      "tasks\n",
      grid.cores, grid.seconds * 1e3, grid.efficiency * 100, grid.alone * 1e3);
  text += fmt::format("{:<28} {:>10} {:>8} {:>7} {:>13} {:>8} {:>6}\n", "operator", "ms a pass", "barriers", "tasks",
                      "(fewest)", "longest", "busy");
  for (const OperatorGrid& one : grid.operators) {
    text += fmt::format("{:<28} {:>10.3f} {:>8} {:>7} {:>13} {:>8.2f} {:>5.0f}%\n", one.name, one.seconds * 1e3,
                        one.regions, one.median_tasks, one.fewest_tasks, one.longest,
                        one.seconds > 0 ? one.busy / one.seconds * 100 : 0);
  }
  return text;
}

Json grid_json(const WorkGrid& grid) {
  Json operators = Json::array();
  for (const OperatorGrid& one : grid.operators) {
    operators.push_back({{"operator", one.name},
                         {"seconds", one.seconds},
                         {"busy", one.busy},
                         {"barriers", one.regions},
                         {"tasks", one.median_tasks},
                         {"fewest_tasks", one.fewest_tasks},
                         {"longest", one.longest}});
  }
  return {{"cores", grid.cores},
          {"seconds", grid.seconds},
          {"alone", grid.alone},
          {"efficiency", grid.efficiency},
          {"operators", std::move(operators)}};
}

}  // namespace roformer
