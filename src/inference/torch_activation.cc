#include "inference/torch_activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace roformer {

namespace {

double softplus(double x) { return x > 20 ? x : std::log1p(std::exp(x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

constexpr std::pair<std::string_view, ElementFunction> kTorchActivations[] = {
    {"Identity", [](double x) { return x; }},
    {"Tanh", [](double x) { return std::tanh(x); }},
    {"Sigmoid", sigmoid},
    {"ReLU", [](double x) { return x < 0 ? 0 : x; }},
    {"GELU", [](double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); }},
    {"SiLU", [](double x) { return x * sigmoid(x); }},
    {"Mish", [](double x) { return x * std::tanh(softplus(x)); }},
    {"ELU", [](double x) { return x > 0 ? x : std::expm1(x); }},
    {"CELU", [](double x) { return x > 0 ? x : std::expm1(x); }},
    {"SELU", [](double x) { return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * std::expm1(x)); }},
    {"LeakyReLU", [](double x) { return x < 0 ? x / 100 : x; }},
    {"ReLU6", [](double x) { return std::clamp(x, 0.0, 6.0); }},
    {"Hardtanh", [](double x) { return std::clamp(x, -1.0, 1.0); }},
    {"Hardsigmoid", [](double x) { return std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {"Hardswish", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {"Softplus", softplus},
    {"Softsign", [](double x) { return x / (1 + std::abs(x)); }},
    {"Tanhshrink", [](double x) { return x - std::tanh(x); }},
    {"LogSigmoid", [](double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }},
};

}  // namespace

ElementFunction find_torch_activation(std::string_view class_path) {
  if (!class_path.starts_with("torch.nn.")) return nullptr;
  const std::string_view name = class_path.substr(class_path.rfind('.') + 1);
  const auto* found = std::ranges::find(kTorchActivations, name, &std::pair<std::string_view, ElementFunction>::first);
  return found == std::end(kTorchActivations) ? nullptr : found->second;
}

std::string torch_activation_names() {
  std::string names;
  for (const auto& [name, function] : kTorchActivations) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

}  // namespace roformer
