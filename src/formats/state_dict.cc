#include "formats/state_dict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/safetensors.h"

namespace roformer {

namespace {

float number(Float16 x) { return widened(x); }
float number(BFloat16 x) { return widened(x); }
template <class Real>
Real number(Real x) {
  return x;
}

template <class From, class To>
void convert_rows(const Tensor& from, const Tensor& to) {
  for (int64_t i = 0; i < to.rows(); ++i) {
    const From* source = from.row<From>(i);
    std::transform(source, source + to.columns(), to.row<To>(i), [](From x) { return static_cast<To>(number(x)); });
  }
}

template <class To>
void convert_to(const Tensor& from, const Tensor& to) {
  switch (from.dtype()) {
    case DType::float32: return convert_rows<float, To>(from, to);
    case DType::float64: return convert_rows<double, To>(from, to);
    case DType::float16: return convert_rows<Float16, To>(from, to);
    case DType::bfloat16: return convert_rows<BFloat16, To>(from, to);
    default: return;
  }
}

// Empty if `from` can be copied into `to`.
std::string mismatch(const Tensor& from, const Tensor& to) {
  if (!(from.shape() == to.shape())) {
    return fmt::format("has the shape {}, expected {}", from.shape().to_string(), to.shape().to_string());
  }
  const bool converts = is_real(from.dtype()) && (to.dtype() == DType::float32 || to.dtype() == DType::float64);
  if (from.dtype() != to.dtype() && !converts) {
    return fmt::format("is {}, expected {}", dtype_name(from.dtype()), dtype_name(to.dtype()));
  }
  return "";
}

}  // namespace

void report_problems(const std::string& source, const std::vector<std::string>& problems) {
  const size_t shown = std::min(problems.size(), kShownProblems);
  std::string message = fmt::format("'{}' does not fit the model: {} problem{}", source, problems.size(),
                                    problems.size() == 1 ? "" : "s");
  for (size_t i = 0; i < shown; ++i) message += "\n  " + problems[i];
  if (shown < problems.size()) message += fmt::format("\n  and {} more", problems.size() - shown);
  throw DataError("{}", message);
}

void copy_tensor(const Tensor& from, const Tensor& to) {
  if (from.elements() == 0) return;
  if (from.dtype() != to.dtype()) {
    return to.dtype() == DType::float64 ? convert_to<double>(from, to) : convert_to<float>(from, to);
  }
  const int64_t width = dtype_size(to.dtype());
  for (int64_t i = 0; i < to.rows(); ++i) {
    std::memcpy(static_cast<char*>(to.raw()) + i * to.row_stride() * width,
                static_cast<const char*>(from.raw()) + i * from.row_stride() * width,
                static_cast<size_t>(to.columns() * width));
  }
}

StateDict load_state_dict(const std::string& path) {
  const SafetensorsFile file(path);
  StateDict result;
  for (const TensorInfo& info : file.tensors()) result.emplace(info.name, file.tensor(info.name));
  return result;
}

bool matches_pattern(std::string_view name, std::string_view pattern) {
  // Greedy, backtracking to the last star only: constant memory, quadratic time at worst.
  size_t n = 0, p = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void copy_into(const StateDict& source, const std::string& file,
               const std::vector<std::pair<std::string, Tensor>>& targets,
               const std::function<void(const Tensor& from, const Tensor& to)>& copy) {
  std::vector<std::string> problems;
  std::vector<std::pair<const Tensor*, const Tensor*>> copies;
  std::set<std::string> known;
  for (const auto& [name, target] : targets) {
    known.insert(name);
    const auto found = source.find(name);
    if (found == source.end()) {
      problems.push_back(fmt::format("missing: {} {}", quote(name), target.shape().to_string()));
      continue;
    }
    const std::string difference = mismatch(found->second, target);
    if (!difference.empty()) problems.push_back(fmt::format("wrong: {} {}", quote(name), difference));
    copies.emplace_back(&found->second, &target);
  }
  for (const auto& [name, tensor] : source) {
    if (!known.contains(name)) {
      problems.push_back(fmt::format("extra: {} {}", quote(name), tensor.shape().to_string()));
    }
  }
  if (!problems.empty()) report_problems(file, problems);
  for (const auto& [from, to] : copies) copy(*from, *to);
}

}  // namespace roformer
