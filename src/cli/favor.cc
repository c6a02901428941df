// roformer favor: the error of FAVOR+ relative to softmax attention, by its number of random features.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "lab/favor_error.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"

namespace roformer {
namespace {

struct FavorCommand {
  FavorErrorOptions error;
  EngineOptions engine;
  std::vector<std::string> deviations{"0.25", "0.5", "1"};
  std::string output;
  bool json = false;
};

void describe(OptionSet& set, FavorCommand& options) {
  set.add("--features", options.error.features, "numbers of random features to measure", {1, 1 << 16});
  set.add("--tokens", options.error.tokens, "sequence length; inputs are random", {1, 8192});
  set.add("--head-size", options.error.head_dim, "elements per head", {1, 512});
  set.add_words("--deviations", options.deviations,
                "standard deviations of the elements of queries and keys, one curve each; that of their scores is the "
                "square");
  set.add("--draws", options.error.draws, "draws of the random features to average the error over", {1, 1000});
  set.add("--output", options.output, "also write the plot as an SVG file", "FILE");
  add_seed(set, options.error.seed);
  add_json(set, options.json);
  add_threads(set, options.engine.threads);
}

FavorErrorOptions error_options(const FavorCommand& options) {
  FavorErrorOptions result = options.error;
  result.deviations.clear();
  for (const std::string& word : options.deviations) {
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !(value > 0 && value <= 100)) {
      throw UsageError("{} has {}, expected numbers above 0, at most 100", FieldName("deviations"), quote(word));
    }
    result.deviations.push_back(value);
  }
  return result;
}

Json json_of(const FavorErrors& errors) {
  Json points = Json::array();
  for (const FavorError& point : errors.points) {
    points.push_back(
        {{"features", point.features}, {"error", point.mean}, {"lowest", point.low}, {"highest", point.high}});
  }
  return {{"deviation", errors.deviation}, {"slope", errors.slope}, {"points", points}};
}

std::string line_of(const FavorErrors& errors) {
  const FavorError &first = errors.points.front(), &last = errors.points.back();
  return fmt::format("deviation {:g}: error {:.4f} with {} features, {:.4f} with {}; slope {:.3f}\n", errors.deviation,
                     first.mean, first.features, last.mean, last.features, errors.slope);
}

void run(const FavorCommand& options) {
  const FavorErrorOptions error = error_options(options);
  const Engine engine(options.engine);
  const std::vector<FavorErrors> errors = favor_errors(*engine.backend, error);
  const Plot plot = favor_error_plot(errors, error);
  if (!options.json) {
    const TerminalStyle style = TerminalStyle::of(STDOUT_FILENO);
    std::cout << terminal_plot(plot, {.color = style.color, .unicode = style.unicode});
  }
  for (const FavorErrors& of_one : errors) {
    std::cout << (options.json ? dump_json(json_of(of_one)) + "\n" : line_of(of_one));
  }
  if (options.output.empty()) return;
  write_file_atomically(options.output, svg_plot(plot));
  std::cerr << fmt::format("roformer: wrote {}\n", options.output);
}

}  // namespace

Command favor_command() {
  return {.name = "favor",
          .summary = "Measure the error of FAVOR+ relative to softmax attention",
          .group = "Look inside",
          .example = "roformer favor --output favor.svg",
          .prepare = prepare_with<FavorCommand>(describe, run)};
}

}  // namespace roformer
