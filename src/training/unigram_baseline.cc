#include "training/unigram_baseline.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/file.h"
#include "base/json.h"

namespace roformer {

namespace {

constexpr const char *kFile = "unigram.json", *kLoss = "loss";

}  // namespace

void write_unigram_loss(double loss, const std::string& run) {
  const std::string path = join_path(run, kFile);
  if (loss > 0 && !exists(path)) write_file_atomically(path, dump_json({{kLoss, loss}}) + "\n");
}

std::optional<double> read_unigram_loss(const std::string& run) {
  const std::string path = join_path(run, kFile);
  if (!exists(path)) return {};
  return JsonObject::read(path).get_double(kLoss, std::nullopt);
}

std::vector<PlotLevel> unigram_levels(const std::vector<std::string>& runs) {
  std::vector<double> losses;
  for (const std::string& run : runs) {
    const auto loss = read_unigram_loss(run);
    if (!loss) return {};
    losses.push_back(*loss);
  }
  if (losses.empty()) return {};
  const auto [low, high] = std::ranges::minmax(losses);
  if (high - low > kUnigramPrecision) return {};
  return {
      {"unigram baseline", std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size())}};
}

}  // namespace roformer
