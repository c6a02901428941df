// roformer rope: rotary positions as figures, and the rotation of one vector in numbers.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/registry.h"
#include "lab/rope_figures.h"
#include "lab/rope_numbers.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"

namespace roformer {
namespace {

struct RopeCommand {
  std::string what, output;
  RopeFigureOptions figure;
  std::vector<std::string> vector = {"1", "2", "3", "4"};
  int64_t position = 3;
  std::string layout = "adjacent";
};

void describe(OptionSet& set, RopeCommand& options) {
  set.add_positional(
      "WHAT", options.what,
      "a figure: rotation, clocks, decay, scores, scaling; or numbers, each step of one rotation; or precision, the "
      "error of angles computed in less than double precision");
  set.add("--output", options.output, "the SVG file to write (required by rotation and clocks)", "FILE");
  set.add("--base", options.figure.base, "base of the frequencies (all but rotation)", {1, 1e12, true, false});
  set.section("Figures");
  set.add("--dim", options.figure.dim, "rotary dimension (all but rotation)", {2, 512});
  set.add("--max-distance", options.figure.max_distance, "largest distance (decay, scores)", {1, 4096});
  set.add("--factor", options.figure.factor, "factor by which the context is extended (scaling)",
          {1, 1000, true, false});
  set.add("--original-positions", options.figure.original_positions, "context length of the training (scaling)",
          {2, kMaxRotaryPosition});
  add_seed(set, options.figure.seed);
  set.section("Numbers");
  set.add_words("--vector", options.vector, "the elements of a head");
  set.add("--position", options.position, "position of its token", {0, kMaxRotaryPosition});
  set.add_choice("--layout", options.layout, {"adjacent", "half"}, "which elements form a pair");
}

void print_numbers(const RopeCommand& options) {
  std::vector<double> vector;
  for (const std::string& word : options.vector) {
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !(std::abs(value) <= 1e100)) {
      throw UsageError("{} has {}, expected numbers from -1e100 to 1e100", FieldName("vector"), quote(word));
    }
    vector.push_back(value);
  }
  if (vector.size() % 2 != 0) {
    throw UsageError("{} has {} numbers, expected an even number: pairs of elements are rotated", FieldName("vector"),
                     vector.size());
  }
  std::cout << rope_numbers(vector, options.position, parse_rotary_layout(options.layout), options.figure.base);
}

std::optional<Plot> plot_of(const RopeCommand& options) {
  if (options.what == "decay") return rope_decay_plot(options.figure);
  if (options.what == "scores") return rope_scores_plot(options.figure);
  if (options.what == "scaling") return rope_scaling_plot(options.figure);
  return {};
}

// The SVG; line plots are shown in the terminal, too.
std::string draw(const RopeCommand& options) {
  if (options.what == "rotation" || options.what == "clocks") {
    if (options.output.empty()) throw UsageError("{} needs --output, an SVG file", options.what);
    return options.what == "rotation" ? rope_rotation_figure() : rope_clock_figure(options.figure);
  }
  const std::optional<Plot> plot = plot_of(options);
  if (!plot) {
    throw UsageError("WHAT is {}, expected rotation, clocks, decay, scores, scaling, numbers or precision",
                     quote(options.what));
  }
  const TerminalStyle style = TerminalStyle::of(STDOUT_FILENO);
  std::cout << terminal_plot(*plot, {.color = style.color, .unicode = style.unicode});
  return svg_plot(*plot);
}

void run(const RopeCommand& options) {
  if (options.what.empty()) throw UsageError("WHAT is missing, expected e.g. rotation or numbers; see --help");
  if (options.what == "numbers" || options.what == "precision") {
    if (!options.output.empty())
      throw UsageError("{} writes no file, expected no {}", options.what, FieldName("output"));
    if (options.what == "numbers") return print_numbers(options);
    std::cout << rope_precision({.dim = options.figure.dim, .base = options.figure.base});
    return;
  }
  const std::string svg = draw(options);
  if (options.output.empty()) return;
  write_file_atomically(options.output, svg);
  std::cerr << fmt::format("roformer: wrote {}\n", options.output);
}

}  // namespace

Command rope_command() {
  return {.name = "rope",
          .summary = "Draw how rotary positions work, or show one rotation in numbers",
          .group = "Look inside",
          .example = "roformer rope numbers --vector 1,2,3,4 --position 3",
          .prepare = prepare_with<RopeCommand>(describe, run)};
}

}  // namespace roformer
