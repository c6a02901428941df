#include "models/loading_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "formats/stored_form.h"
#include "models/model.h"
#include "models/weight_names.h"

namespace roformer {

namespace {

bool matches(std::string_view name, std::span<const char* const> patterns) {
  return std::ranges::any_of(patterns, [&](const char* pattern) { return matches_pattern(name, pattern); });
}

// The number of heads of a parameter interleaved by head: query heads, or key and value heads.
int64_t heads_of(const ModelConfig& config, const TensorRule& rule) {
  if (rule.arrangement != Arrangement::by_head) return 1;
  return config.heads;
}

// The shape of the file's tensor of which `part` is one of rule.parts.
Shape file_shape(const TensorRule& rule, const Shape& part) {
  if (rule.arrangement == Arrangement::whole) return part;
  if (rule.arrangement == Arrangement::row) return {1, part[0]};
  Shape shape{part[0] * rule.parts};
  for (int i = 1; i < part.rank(); ++i) shape.push_back(part[i]);
  return shape;
}

// The file tensor's row for row r of a part with `rows` rows.
int64_t file_row(const TensorRule& rule, int64_t r, int64_t rows, int64_t heads) {
  switch (rule.arrangement) {
    case Arrangement::whole:
    case Arrangement::row: return r;
    case Arrangement::stacked: return rule.part * rows + r;
    case Arrangement::by_head: {
      const int64_t size = rows / heads;
      return (r / size * rule.parts + rule.part) * size + r % size;
    }
  }
  return r;
}

std::string described(const AvailableTensor& tensor) {
  return fmt::format("{} {}", quote(tensor.stored_name), tensor.shape.to_string());
}

// A vector as a column, so that elements are rows.
Tensor by_rows(const Tensor& x, const TensorRule& rule) {
  const bool vector = x.shape().rank() == 1 || rule.arrangement == Arrangement::row;
  return vector ? x.reshaped({x.elements(), 1}) : x;
}

// Copies row `row` of `from` to row r of `to`; 16-bit tensors must have equal types.
void copy_row(const Tensor& from, int64_t row, const Tensor& to, int64_t r) {
  copy_tensor(from.row_range(row, 1), to.row_range(r, 1));
}

}  // namespace

AvailableTensors available(const std::shared_ptr<const WeightFiles>& files) {
  AvailableTensors result;
  for (const WeightEntry& entry : files->tensors()) {
    const TensorFile* file = entry.file;
    const std::string& name = entry.info.name;
    AvailableTensor& tensor = result.emplace_back(
        AvailableTensor{.name = name, .shape = {}, .read = [files, file, name] { return file->stored(name); }});
    tensor.stored_numbers = entry.info.dtype;
    tensor.read_into = [files, file, name](const Tensor& to) { file->read_into(name, to); };
    try {
      std::tie(tensor.shape, tensor.dtype) = stored_form(entry.info, file->path());
    } catch (const DataError&) {
      tensor.readable = false;
    }
  }
  return result;
}

AvailableTensors available(const StateDict& tensors) {
  AvailableTensors result;
  for (const auto& [name, tensor] : tensors) {
    result.push_back(
        {.name = name, .shape = tensor.shape(), .dtype = tensor.dtype(), .read = [tensor = tensor] { return tensor; }});
  }
  return result;
}

LoadingPlan::LoadingPlan(const ModelConfig& config, AvailableTensors tensors, std::string source, Fit fit)
    : source_(std::move(source)), tensors_(std::move(tensors)), declared_(declared_parameters(config)) {
  std::ranges::sort(tensors_, {}, &AvailableTensor::name);
  std::set<std::string> known;
  std::vector<std::string> others, problems;
  std::vector<Missing> missing = match(config, fit, known, others);
  if (fit == Fit::whole) missing.insert(missing.end(), missing_in_head_.begin(), missing_in_head_.end());
  find_unused(config, known, others);
  if (fit == Fit::nothing || (missing.empty() && others.empty())) return;
  for (const Missing& one : missing) {
    const bool shown = problems.size() < kShownProblems;
    problems.push_back("missing: " + (shown ? describe(one) : one.name));
  }
  problems.insert(problems.end(), others.begin(), others.end());
  report_problems(source_, problems);
}

std::string LoadingPlan::describe(const Missing& missing) const {
  std::vector<bool> taken(tensors_.size());
  for (const Step& step : steps_) {
    if (step.tensor) taken[*step.tensor] = true;
  }
  const AvailableTensor* nearest = nearest_tensor(missing.name, tensors_, taken);
  return fmt::format("{} {}{}", quote(missing.name), missing.shape.to_string(),
                     nearest == nullptr ? "" : fmt::format(" (nearest in the file: {})", described(*nearest)));
}

std::vector<LoadingPlan::Missing> LoadingPlan::match(const ModelConfig& config, Fit fit, std::set<std::string>& known,
                                                     std::vector<std::string>& problems) {
  const Family& family = *config.family;
  std::vector<Missing> missing;
  std::set<std::string> reported;  // parts of one tensor share its problem
  for (const TableEntry& entry : declared_) {
    const TensorRule& rule = rule_of(family, entry.spec.name);
    const std::string name = name_in_files(family, entry.spec.name);
    std::vector<std::string> others = other_names(family, name);
    if (config.tied && entry.spec.name == "embeddings.words.weight" && config.is_language_model()) {
      const std::string output = name_in_files(family, "head.output.weight");
      held_by_head_ += find(output, other_names(family, output)).has_value();
      others.push_back(output);
    }
    // Files may hold shared embeddings once for each half.
    if (config.shared_words && entry.spec.name == "embeddings.words.weight") {
      others.push_back(name_in_files(family, "encoder.embeddings.words.weight"));
    }
    known.insert(name);
    known.insert(others.begin(), others.end());
    const Shape shape = file_shape(rule, entry.spec.shape);
    const Step& step = steps_.emplace_back(Step{find(name, others), &rule, heads_of(config, rule)});
    const bool of_trunk = is_of_trunk(entry.spec.name);
    held_by_head_ += step.tensor && !of_trunk && !entry.spec.name.starts_with("pooler.");
    const std::string difference = step.tensor ? mismatch(tensors_[*step.tensor], shape) : "";
    if ((step.tensor && difference.empty()) || !reported.insert(name).second) continue;
    if (!step.tensor && fit == Fit::trunk_anew && is_of_positions(entry.spec.name)) continue;
    if (!step.tensor) {
      (of_trunk ? missing : missing_in_head_).push_back({name, shape});
      continue;
    }
    problems.push_back(fmt::format("wrong: {} {}", quote(tensors_[*step.tensor].stored_name), difference));
    if (!of_trunk) wrong_in_head_.push_back(problems.back());
  }
  return missing;
}

void LoadingPlan::find_unused(const ModelConfig& config, const std::set<std::string>& known,
                              std::vector<std::string>& problems) {
  const Family& family = *config.family;
  for (const AvailableTensor& tensor : tensors_) {
    if (known.contains(tensor.name) || matches(tensor.name, family.ignored)) continue;
    // Without a layer, bias or table that the file holds, the trunk would compute something else.
    if (is_of_trunk(our_name(family, tensor.name))) {
      problems.push_back(fmt::format("extra: {}, which config.json excludes", described(tensor)));
      continue;
    }
    // Heads of pre-training beside another, and those that a trunk was named without.
    const bool of_model = !config.is_language_model() && !family.head_tensors.empty() &&
                          matches_pattern(tensor.name, family.head_tensors.front());
    const bool of_trunk = config.head == Head::none && matches(tensor.name, family.head_tensors);
    const bool of_pooler = !config.pooler && matches_pattern(tensor.name, "*pooler.dense.*");
    if (!of_model && !of_trunk && !of_pooler) unused_.push_back(described(tensor));
  }
}

std::optional<size_t> LoadingPlan::find(const std::string& name, const std::vector<std::string>& others) const {
  const auto at = [&](const std::string& one) -> std::optional<size_t> {
    const auto found = std::ranges::lower_bound(tensors_, one, {}, &AvailableTensor::name);
    if (found == tensors_.end() || found->name != one) return std::nullopt;
    return static_cast<size_t>(found - tensors_.begin());
  };
  if (const auto found = at(name)) return found;
  for (const std::string& other : others) {
    if (const auto found = at(other)) return found;
  }
  return std::nullopt;
}

std::string LoadingPlan::mismatch(const AvailableTensor& tensor, const Shape& shape) const {
  if (!tensor.readable) tensor.read();  // throws
  if (!(tensor.shape == shape)) {
    return fmt::format("has the shape {}, expected {}", tensor.shape.to_string(), shape.to_string());
  }
  if (!is_real(tensor.dtype)) return fmt::format("is {}, expected float32", dtype_name(tensor.dtype));
  return "";
}

void LoadingPlan::fill(size_t i, const Tensor& to) const {
  const Step& step = steps_[i];
  const bool whole = step.rule->arrangement == Arrangement::whole;
  if (whole && tensor_of(i).read_into) return tensor_of(i).read_into(to);
  const Tensor read = tensor_of(i).read();
  if (whole) return copy_tensor(read, to);
  const Tensor from = by_rows(read, *step.rule), target = by_rows(to, *step.rule);
  const int64_t rows = target.rows();
  for (int64_t r = 0; r < rows; ++r) {
    copy_row(from, file_row(*step.rule, r, rows, step.heads), target, r);
  }
}

Tensor LoadingPlan::shared(size_t i, DType dtype) const {
  const Step& step = steps_[i];
  if (step.rule->arrangement != Arrangement::whole) return {};
  Tensor tensor = tensor_of(i).read();
  return tensor.dtype() == dtype && tensor.contiguous() ? tensor : Tensor();
}

LoadedParameters::LoadedParameters(Backend& backend, bool trainable, const LoadingPlan& plan)
    : NewParameters(backend, trainable, &plan.declared()), plan_(plan), trainable_(trainable) {
  for (size_t i = 0; i < plan.declared().size(); ++i) indices_.emplace(plan.declared()[i].spec.name, i);
}

DType LoadedParameters::type_of(std::span<const ParameterSpec> parts) const {
  const DType real = backend().real(), stored = plan_.stored_type(indices_.at(parts[0].name));
  if (trainable_ || dtype_size(stored) != 2 || !backend().reads_weights(stored)) return real;
  const bool all = std::ranges::all_of(parts, [&](const ParameterSpec& part) {
    const bool read = part.role == ParameterRole::weight || part.role == ParameterRole::embedding;
    return read && plan_.stored_type(indices_.at(part.name)) == stored;
  });
  return all ? stored : real;
}

Parameter LoadedParameters::provide(std::span<const ParameterSpec> parts, const Initializer&) {
  const DType type = type_of(parts);
  if (!trainable_ && parts.size() == 1) {
    if (Tensor tensor = plan_.shared(indices_.at(parts[0].name), type); tensor.defined()) {
      return {backend().from_host(tensor), {}};
    }
  }
  const Shape shape = joined_shape(parts);
  Parameter parameter{backend().empty(shape, type), gradient(shape)};
  std::vector<int64_t> begins;
  for (int64_t begin = 0; const ParameterSpec& part : parts) {
    begins.push_back(begin);
    begin += part.shape[0];
  }
  backend().pool().run(std::ssize(parts), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    backend().write(parameter.value.row_range(begins[at], parts[at].shape[0]),
                    [&](const Tensor& host) { plan_.fill(indices_.at(parts[at].name), host); });
  });
  return parameter;
}

std::vector<std::pair<std::string, Tensor>> file_tensors(Backend& backend, const ModelConfig& config,
                                                         const ParameterTable& table) {
  const Family& family = *config.family;
  std::vector<std::pair<std::string, Tensor>> result;
  std::map<std::string, Tensor> joined;
  for (const auto& [spec, parameter] : table) {
    const TensorRule& rule = rule_of(family, spec.name);
    const std::string name = name_in_files(family, spec.name);
    const Tensor value = widen(backend.to_host(parameter.value));
    if (rule.arrangement == Arrangement::whole) {
      result.emplace_back(name, value);
      continue;
    }
    auto [found, fresh] = joined.try_emplace(name);
    if (fresh) {
      found->second = Tensor::allocate(file_shape(rule, spec.shape), value.dtype());
      result.emplace_back(name, found->second);
    }
    const Tensor from = by_rows(value, rule), to = by_rows(found->second, rule);
    const int64_t heads = heads_of(config, rule);
    for (int64_t r = 0; r < from.rows(); ++r) {
      copy_row(from, r, to, file_row(rule, r, from.rows(), heads));
    }
  }
  return result;
}

}  // namespace roformer
