#include "training/snapshot_average.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/file.h"
#include "checkpoint/snapshots.h"
#include "formats/state_dict.h"
#include "training/scaled.h"

namespace roformer {

namespace {

constexpr std::string_view kPrefix = "step-", kSuffix = ".safetensors";

std::optional<int64_t> step_of_file(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return step;
}

std::vector<Tensor> copies_of_weights(const Model& model) {
  std::vector<Tensor> copies;
  for (const NamedParameter& named : model.parameters()) {
    copies.push_back(copy_of(model.backend(), named.parameter.value));
  }
  return copies;
}

}  // namespace

SnapshotAverage::SnapshotAverage(const std::string& directory, int64_t count, int64_t resumed)
    : folder_(join_path(directory, "training/averaged")), count_(count) {
  if (!is_directory(folder_)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::optional<int64_t> step = step_of_file(entry.path().filename().string());
    if (!step) continue;
    if (*step > resumed) {
      remove_tree(entry.path().string());
    } else {
      steps_.push_back(*step);
    }
  }
  std::ranges::sort(steps_);
}

std::string SnapshotAverage::file_of(int64_t step) const {
  return join_path(folder_, fmt::format("{}{}{}", kPrefix, step, kSuffix));
}

void SnapshotAverage::keep(int64_t step, const std::string& weights) {
  make_directories(folder_);
  publish(weights, file_of(step));
  if (steps_.empty() || steps_.back() != step) steps_.push_back(step);
  while (size() > count_) {
    remove_tree(file_of(steps_.front()));
    steps_.erase(steps_.begin());
  }
}

std::vector<Tensor> SnapshotAverage::apply(Model& model) const {
  Backend& backend = model.backend();
  const double share = 1.0 / static_cast<double>(size());
  std::vector<Tensor> own = copies_of_weights(model), mean;
  mean.reserve(own.size());
  for (const Tensor& weight : own) mean.push_back(scaled(backend, share, weight));
  for (const int64_t step : steps_) {
    model.load_weights(load_state_dict(file_of(step)), file_of(step));
    for (size_t i = 0; i < mean.size(); ++i) add_scaled(backend, share, model.parameters()[i].parameter.value, mean[i]);
  }
  restore(model, mean);
  return own;
}

void SnapshotAverage::restore(Model& model, const std::vector<Tensor>& weights) {
  for (size_t i = 0; i < weights.size(); ++i) model.backend().copy(weights[i], model.parameters()[i].parameter.value);
}

}  // namespace roformer
