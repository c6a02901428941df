#include "models/found_model.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "models/model_kind.h"
#include "models/weight_names.h"

namespace roformer {

namespace {

const AvailableTensor* find_parameter(const Family& family, const char* ours, const AvailableTensors& tensors) {
  const std::string name = name_in_files(family, ours);
  std::vector<std::string> names = other_names(family, name);
  names.insert(names.begin(), name);
  for (const std::string& one : names) {
    const auto found = std::ranges::find(tensors, one, &AvailableTensor::name);
    if (found != tensors.end() && found->readable) return &*found;
  }
  return nullptr;
}

bool same_values(const AvailableTensor& one, const AvailableTensor& other) {
  if (!(one.shape == other.shape)) return false;
  const Tensor a = one.read(), b = other.read();
  if (a.elements() == 0 || (a.raw() == b.raw() && a.row_stride() == b.row_stride())) return true;
  if (!is_real(a.dtype()) || !is_real(b.dtype())) return false;
  std::vector<double> left(static_cast<size_t>(a.columns())), right(left.size());
  const auto row_to = [](const Tensor& from, int64_t row, std::vector<double>& to) {
    const Tensor target = Tensor::allocate({1, from.columns()}, DType::float64);
    copy_tensor(from.row_range(row, 1), target);
    std::copy_n(target.data<double>(), to.size(), to.begin());
  };
  for (int64_t row = 0; row < a.rows(); ++row) {
    if (a.dtype() == b.dtype()) {
      const auto bytes = static_cast<size_t>(a.columns() * dtype_size(a.dtype()));
      const auto at = [&](const Tensor& x) {
        return static_cast<const char*>(x.raw()) + row * x.row_stride() * dtype_size(x.dtype());
      };
      if (std::memcmp(at(a), at(b), bytes) == 0) continue;
    }
    row_to(a, row, left);
    row_to(b, row, right);
    if (left != right) return false;
  }
  return true;
}

// Shared embeddings, where the file holds those of each half, are equal.
void check_shared_words(const FoundModel& model) {
  if (!model.config.shared_words) return;
  const Family& family = *model.config.family;
  const AvailableTensor* words = find_parameter(family, "embeddings.words.weight", model.tensors);
  const AvailableTensor* of_encoder = find_parameter(family, "encoder.embeddings.words.weight", model.tensors);
  if (words == nullptr || of_encoder == nullptr || words == of_encoder || same_values(*words, *of_encoder)) return;
  throw DataError("{}: {} differs from {}, though config.json says that the halves share their embeddings ({})",
                  FilePath(model.source), quote(of_encoder->stored_name), quote(words->stored_name),
                  KeyName("share_encoder_decoder_embeddings"));
}

}  // namespace

FoundModel find_model(const std::string& directory) {
  const JsonObject json = JsonObject::read(join_path(model_directory(directory), "config.json"));
  // The config's own errors are clearer than what follows from them.
  const Family* const named = named_kind(json).family;
  if (named != nullptr) read_config(json, {.family = named});
  const auto files = std::make_shared<const WeightFiles>(directory);
  FoundModel model{.config = {}, .tensors = available(files), .source = files->source(), .notes = {}};
  LoadNotes& notes = model.notes;
  notes.wrapper = remove_wrapper(model.tensors, model.source, named);
  DecidedKind decided = decide_kind(json, model.tensors, model.source);
  model.config = read_config(json, decided.kind, &notes.unknown_keys);
  complete_from_names(model.config, model.tensors);
  model.config.missing_head = std::move(decided.missing_head);
  if (!notes.unknown_keys.empty()) {
    notes.warnings.push_back(unknown_keys_warning(json.source(), notes.unknown_keys));
  }
  notes.warnings.insert(notes.warnings.end(), decided.warnings.begin(), decided.warnings.end());
  notes.family_reason = std::move(decided.family_reason);
  notes.head_reason = std::move(decided.head_reason);
  check_shared_words(model);
  take_output_as_it_is(model.config, model);
  return model;
}

void take_output_as_it_is(ModelConfig& config, FoundModel& model) {
  if (!config.is_language_model() || !config.tied) return;
  const AvailableTensor* words = find_parameter(*config.family, "embeddings.words.weight", model.tensors);
  const AvailableTensor* output = find_parameter(*config.family, "head.output.weight", model.tensors);
  const auto warn = [&](const AvailableTensor& used, const AvailableTensor& other) {
    model.notes.warnings.push_back(
        fmt::format("{}: {} differs from {}, to which config.json ties it: it is used as it is", model.source,
                    quote(used.stored_name), quote(other.stored_name)));
  };
  if (words != nullptr && output != nullptr && !same_values(*words, *output)) {
    config.tied = false;
    return warn(*output, *words);
  }
  if (!config.head_transform) return;  // an output without a bias
  const auto named = [&](const char* ours) {
    return std::ranges::find(model.tensors, name_in_files(*config.family, ours), &AvailableTensor::name);
  };
  const auto bias = named("head.bias"), output_bias = named("head.output.bias"), none = model.tensors.end();
  if (bias == none || output_bias == none || !bias->readable || !output_bias->readable) return;
  if (same_values(*bias, *output_bias)) return;
  warn(*output_bias, *bias);
  model.tensors.erase(bias);
}

void note_unused(const LoadingPlan& plan, LoadNotes& notes) {
  constexpr size_t kShown = 10;
  const std::vector<std::string>& unused = plan.unused();
  if (unused.empty()) return;
  const size_t shown = std::min(kShown, unused.size());
  notes.warnings.push_back(fmt::format(
      "{}: not part of the model and ignored: {}{}", plan.source(), fmt::join(std::span(unused).first(shown), ", "),
      shown < unused.size() ? fmt::format(" and {} more", unused.size() - shown) : ""));
}

}  // namespace roformer
