// Progress of long work on standard error: a bar that redraws itself on a terminal, and a plain line now and then
// elsewhere. Must be called from one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace roformer {

// What a stream can display. TERM=dumb counts as no terminal; NO_COLOR (no-color.org) disables color.
struct TerminalStyle {
  bool interactive = false;  // redrawing a line works
  bool color = false;
  bool unicode = false;  // the locale says UTF-8
  int columns = 80;

  static TerminalStyle of(int file_descriptor);
};

// "0:07", "4:05", "1:02:03", "2 d 3:04:05"; "-" for a negative or non-finite number of seconds.
std::string format_duration(double seconds);

// A positive number with about three digits: "0.42", "3.1", "45", "12.3k", "1.5M".
std::string format_count(double value);

// "1 document", "2 documents".
std::string counted(int64_t count, std::string_view noun);

class Progress {
 public:
  struct Options {
    std::string label;          // "pretrain"
    int64_t total = 0;          // units of work; 0 = unknown
    int64_t start = 0;          // units already done, e.g. before a resume: excluded from the rate
    std::string unit = "step";  // one unit, as in "12 steps/s"
    bool times = true;          // show how long it has taken and still takes
    double redraw_seconds = 0.1;
    double plain_seconds = 10;  // between lines without a terminal
  };
  // Output and clock, replaceable by tests.
  struct Output {
    TerminalStyle style;
    std::function<void(std::string_view)> write;
    std::function<double()> seconds;  // monotonic

    static Output standard_error();
  };

  explicit Progress(Options options, Output output = Output::standard_error());
  ~Progress();  // leaves the line as it is, so that an error message starts on its own
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` units are finished, `start` included; `note` is appended, e.g. "loss 3.12". If the total is unknown, `share`
  // may be the fraction of the work that is done, from 0 to 1.
  void update(int64_t done, std::string_view note = {}, std::optional<double> share = std::nullopt);
  // Prints a permanent line above the bar.
  void print(std::string_view line);
  // Draws the last state and ends the line. Further calls do nothing.
  void finish();

 private:
  std::string line(double now) const;
  std::string text(double now, bool with_rate, bool with_elapsed) const;
  std::string bar(int cells) const;
  double seconds_left(double now) const;
  void draw(double now);
  void measure(double now);

  Options options_;
  Output output_;
  int64_t done_;
  std::string note_;
  std::optional<double> share_;
  double start_seconds_;
  double drawn_seconds_;
  int64_t measured_done_;
  double measured_seconds_;
  double seconds_per_unit_ = 0;  // 0 = not known yet
  bool on_screen_ = false;
  bool finished_ = false;
};

}  // namespace roformer
