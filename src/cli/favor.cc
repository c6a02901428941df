// roformer favor: the error of FAVOR+ beside softmax attention, by its number of random features.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"
#include "tasks/favor_error.h"

namespace roformer {
namespace {

struct FavorCommand {
  FavorErrorOptions error;
  EngineOptions engine;
  std::string output;
  bool json = false;
};

void describe(OptionSet& set, FavorCommand& options) {
  set.add("--features", options.error.features, "numbers of random features to measure", {1, 1 << 16});
  set.add("--tokens", options.error.tokens, "of the text; inputs are random", {1, 8192});
  set.add("--head-size", options.error.head_dim, "elements of a head", {1, 512});
  set.add("--deviation", options.error.deviation,
          "standard deviation of the elements of queries and keys; that of their scores is its square", {0, 100, true});
  set.add("--draws", options.error.draws, "of the random features, of whose errors the mean is taken", {1, 1000});
  set.add("--output", options.output, "write the plot as an SVG file, too", "FILE");
  add_seed(set, options.error.seed);
  add_json(set, options.json);
  add_threads(set, options.engine.threads);
}

void run(const FavorCommand& options) {
  const Engine engine(options.engine);
  const FavorErrors errors = favor_errors(*engine.backend, options.error);
  const Plot plot = favor_error_plot(errors, options.error);
  if (options.json) {
    Json points = Json::array();
    for (const FavorError& point : errors.points) {
      points.push_back(
          {{"features", point.features}, {"error", point.mean}, {"lowest", point.low}, {"highest", point.high}});
    }
    std::cout << dump_json({{"slope", errors.slope}, {"draws", options.error.draws}, {"points", points}}) << "\n";
  } else {
    const TerminalStyle style = TerminalStyle::of(STDOUT_FILENO);
    std::cout << terminal_plot(plot, {.colour = style.colour, .unicode = style.unicode});
    const FavorError &first = errors.points.front(), &last = errors.points.back();
    std::cout << fmt::format("error {:.4f} with {} features, {:.4f} with {}; slope {:.3f}\n", first.mean,
                             first.features, last.mean, last.features, errors.slope);
  }
  if (options.output.empty()) return;
  write_file_atomically(options.output, svg_plot(plot));
  std::cerr << fmt::format("roformer: wrote {}\n", options.output);
}

}  // namespace

Command favor_command() {
  return {.name = "favor",
          .summary = "Measure the error of FAVOR+ beside softmax attention",
          .group = "Look inside",
          .example = "roformer favor --output favor.svg",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
