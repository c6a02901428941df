// log.jsonl: reading, curves, averages and plots.
#include "report/metrics_log.h"

#include "fuzz/fuzz.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto files = split_files(as_text(data, size), 2);
  accepts([&] {
    std::vector<std::vector<PlotPoint>> curves;
    for (const std::string_view text : files) {
      const auto records = parse_metrics_log(text, "log.jsonl");
      curves.push_back(metrics_curve(records, "train", "loss"));
      for (size_t i = 1; i < curves.back().size(); ++i) {
        require(curves.back()[i - 1].x < curves.back()[i].x, "the steps of a curve rise");
      }
    }
    const PlotSeries mean = summarize_curves("mean", curves);
    const Plot plot{.title = "t", .x_label = "x", .y_label = "y", .series = {mean, {"a", curves[0], {}, {}}}};
    const std::string drawn = terminal_plot(plot, {.columns = 40, .rows = 5, .color = false, .unicode = true});
    require(find_invalid_utf8(drawn) == kValidUtf8, "a plot is UTF-8");
    require(svg_plot(plot).starts_with("<svg") || svg_plot(plot).starts_with("<?xml"), "an SVG begins as one");
  });
  return 0;
}

}  // namespace roformer::fuzz
