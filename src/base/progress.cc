#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/utf8.h"

namespace roformer {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value(environment(name));
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

TerminalStyle TerminalStyle::of(int file_descriptor) {
  TerminalStyle style;
  const std::string_view terminal = environment("TERM");
  style.interactive = isatty(file_descriptor) == 1 && !terminal.empty() && terminal != "dumb";
  style.color = style.interactive && environment("NO_COLOR").empty();
  style.unicode = locale_is_utf8();
  winsize size{};
  if (style.interactive && ioctl(file_descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.columns = size.ws_col;
  }
  return style;
}

std::string format_duration(double seconds) {
  constexpr double kLongest = 1e9;  // 30 years
  if (!(seconds >= 0 && seconds < kLongest)) return "-";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60, rest = whole % 60;
  if (days > 0) return fmt::format("{} d {}:{:02}:{:02}", days, hours, minutes, rest);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, rest);
  return fmt::format("{}:{:02}", minutes, rest);
}

std::string format_count(double value) {
  constexpr std::string_view kSuffixes[] = {"", "k", "M", "G", "T"};
  if (!std::isfinite(value)) return "-";
  size_t suffix = 0;
  while (value >= 999.5 && suffix + 1 < std::size(kSuffixes)) {
    value /= 1000;
    ++suffix;
  }
  const int decimals = value >= 99.95 ? 0 : value >= 1 || suffix > 0 ? 1 : 2;
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + std::string(kSuffixes[suffix]);
}

std::string counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Progress::Output Progress::Output::standard_error() {
  Output output;
  output.style = TerminalStyle::of(STDERR_FILENO);
  output.write = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  output.seconds = now_seconds;
  return output;
}

Progress::Progress(Options options, Output output)
    : options_(std::move(options)), output_(std::move(output)), done_(options_.start), measured_done_(options_.start) {
  start_seconds_ = drawn_seconds_ = measured_seconds_ = output_.seconds();
}

Progress::~Progress() {
  if (on_screen_ && !finished_) output_.write("\n");
}

void Progress::update(int64_t done, std::string_view note, std::optional<double> share) {
  if (finished_) return;
  done_ = done;
  note_ = note;
  share_ = share;
  const double now = output_.seconds();
  const double pause = output_.style.interactive ? options_.redraw_seconds : options_.plain_seconds;
  if (now - drawn_seconds_ >= pause) draw(now);
}

void Progress::print(std::string_view text) {
  if (on_screen_) output_.write(kEraseLine);
  output_.write(std::string(text) + "\n");
  if (std::exchange(on_screen_, false)) draw(output_.seconds());
}

void Progress::finish() {
  if (finished_) return;
  draw(output_.seconds());
  if (on_screen_) output_.write("\n");
  finished_ = true;
}

// The rate is a mean over about the last half minute, so that a validation in between does not disturb it.
void Progress::measure(double now) {
  constexpr double kMemorySeconds = 30;
  const double elapsed = now - measured_seconds_;
  const auto units = static_cast<double>(done_ - measured_done_);
  if (units <= 0 || elapsed <= 0) return;
  const double latest = elapsed / units;
  const double weight = seconds_per_unit_ == 0 ? 1 : 1 - std::exp(-elapsed / kMemorySeconds);
  seconds_per_unit_ += weight * (latest - seconds_per_unit_);
  measured_done_ = done_;
  measured_seconds_ = now;
}

void Progress::draw(double now) {
  measure(now);
  drawn_seconds_ = now;
  if (output_.style.interactive) {
    output_.write(std::string(kEraseLine) + line(now));
    on_screen_ = true;
  } else {
    output_.write(line(now) + "\n");
  }
}

std::string Progress::bar(int cells) const {
  const double share = std::clamp(static_cast<double>(done_) / static_cast<double>(options_.total), 0.0, 1.0);
  const int full = static_cast<int>(share * cells);
  const TerminalStyle& style = output_.style;
  std::string filled, empty;
  for (int i = 0; i < full; ++i) filled += style.unicode ? "━" : "=";
  for (int i = full; i < cells; ++i) empty += style.unicode ? "─" : "-";
  if (!style.color) return filled + empty;
  return fmt::format("\x1b[36m{}\x1b[2m{}\x1b[0m", filled, empty);
}

// 0 where nothing is left, or nobody knows.
double Progress::seconds_left(double now) const {
  if (options_.total > 0) return static_cast<double>(options_.total - done_) * seconds_per_unit_;
  if (!share_ || *share_ <= 0) return 0;
  return (now - start_seconds_) * (1 - *share_) / *share_;
}

std::string Progress::text(double now, bool with_rate, bool with_elapsed) const {
  std::string text = fmt::format("{}", done_);
  if (options_.total > 0) {
    const double percent = 100.0 * static_cast<double>(done_) / static_cast<double>(options_.total);
    text += fmt::format("/{} {:.0f} %", options_.total, std::floor(percent));
  } else if (share_) {
    text += fmt::format("  {:.0f} %", std::floor(100 * *share_));
  }
  if (!note_.empty()) text += fmt::format("  {}", note_);
  if (with_rate && seconds_per_unit_ > 0) {
    text += fmt::format("  {} {}s/s", format_count(1 / seconds_per_unit_), options_.unit);
  }
  if (!options_.times) return text;
  const double left = seconds_left(now);
  if (with_elapsed || left <= 0) text += fmt::format("  elapsed {}", format_duration(now - start_seconds_));
  if (left > 0) text += fmt::format("  remaining {}", format_duration(left));
  return text;
}

// A narrow line goes without the bar, then without the elapsed time, then without the rate; the rest is cut.
std::string Progress::line(double now) const {
  std::string shown = text(now, true, true);
  if (!output_.style.interactive) return fmt::format("{}: {}", options_.label, shown);

  constexpr int kBarCells = 20, kFewestCells = 8;
  const auto label_cells = static_cast<int64_t>(options_.label.size()) + 1;
  const int64_t available = std::max<int64_t>(0, output_.style.columns - 1 - label_cells);
  const int64_t free = available - count_code_points(shown) - 1;
  if (options_.total > 0 && free >= kFewestCells) {
    return fmt::format("{} {} {}", options_.label, bar(static_cast<int>(std::min<int64_t>(kBarCells, free))), shown);
  }
  if (count_code_points(shown) > available) shown = text(now, true, false);
  if (count_code_points(shown) > available) shown = text(now, false, false);
  return options_.label + " " + std::string(first_code_points(shown, available));
}

}  // namespace roformer
