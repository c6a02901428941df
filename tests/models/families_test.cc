// Every family and head against the oracle of tests/fixtures/README.md ("families"): read, run, written, read again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/file.h"
#include "models/families/family.h"
#include "models/save_model.h"
#include "tests/base/temp_directory.h"
#include "tests/models/fixture_model.h"

namespace roformer::test {
namespace {

constexpr double kExact = 1e-9;  // of float64, for any order of summation

class FamilyTest : public FixtureModelTest {
 protected:
  FamilyTest() : FixtureModelTest("families", kExact) {}
};

TEST_P(FamilyTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(FamilyTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(FamilyTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }
TEST_P(FamilyTest, WhatIsWrittenIsTheSameModel) { expect_the_same_when_written(); }

TEST_P(FamilyTest, LabelsAndProblemSurviveARoundTrip) {
  save_model(load(*cpu_), {}, directory_ / "once");
  const Json before = JsonObject::read(fixture_.directory() + "/config.json").value();
  const Json after = JsonObject::read(directory_ / "once/config.json").value();
  for (const char* key : {"id2label", "label2id", "problem_type"}) {
    if (!before.contains(key)) continue;
    EXPECT_EQ(after.value(key, Json()), before.at(key)) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(, FamilyTest, ::testing::ValuesIn(family_fixtures()),
                         [](const auto& param) { return param.param; });

// Variants of the same tensors in existing files (compatibility.md 3.2).
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct Variation {
  const char* name;
  std::function<void(NamedTensors&, const ModelConfig&)> change;
};

void PrintTo(const Variation& variation, std::ostream* out) { *out << variation.name; }

void rename(NamedTensors& tensors, const std::function<std::string(const std::string&)>& spelling) {
  for (auto& [name, tensor] : tensors) name = spelling(name);
}

void replace_end(std::string& name, const std::string& end, const std::string& other) {
  if (name.ends_with(end)) name.replace(name.size() - end.size(), end.size(), other);
}

bool is_head(const std::string& name) {
  for (const char* start : {"cls.", "classifier.", "qa_outputs.", "sequence_summary."}) {
    if (name.starts_with(start)) return true;
  }
  return false;
}

void without_prefix(NamedTensors& tensors, const ModelConfig& config) {
  const std::string prefix = std::string(config.family == &families::bert ? "bert" : "roformer") + ".";
  rename(tensors,
         [&](const std::string& name) { return name.starts_with(prefix) ? name.substr(prefix.size()) : name; });
}

void with_prefix(NamedTensors& tensors, const ModelConfig& config) {
  without_prefix(tensors, config);
  const std::string prefix = std::string(config.family == &families::bert ? "bert" : "roformer") + ".";
  rename(tensors, [&](const std::string& name) { return is_head(name) ? name : prefix + name; });
}

void gamma_and_beta(NamedTensors& tensors, const ModelConfig& /*config*/) {
  rename(tensors, [](std::string name) {
    replace_end(name, "LayerNorm.weight", "LayerNorm.gamma");
    replace_end(name, "LayerNorm.bias", "LayerNorm.beta");
    return name;
  });
}

void with_position_table(NamedTensors& tensors, const ModelConfig& config) {
  if (config.family == &families::bert) return;
  const Tensor table = Tensor::allocate({config.max_positions, config.head_dim()}, DType::float32);
  assign(table, std::vector<double>(static_cast<size_t>(table.elements()), 7));  // wrong values, as it must not be used
  tensors.emplace_back("roformer.encoder.embed_positions.weight", table);
}

// Written by transformers 4 and JunnYu's package.
void with_tied_decoder(NamedTensors& tensors, const ModelConfig& config) {
  if (!config.tied || !config.is_language_model()) return;
  const NamedTensors present = tensors;
  for (const auto& [name, tensor] : present) {
    if (name.ends_with("word_embeddings.weight")) tensors.emplace_back("cls.predictions.decoder.weight", tensor);
    if (name == "cls.predictions.bias") tensors.emplace_back("cls.predictions.decoder.bias", tensor);
  }
}

class VariationTest : public ::testing::TestWithParam<std::tuple<std::string, Variation>> {};

TEST_P(VariationTest, IsTheSameModel) {
  const FamilyFixture fixture(std::get<0>(GetParam()));
  const SafetensorsFile file(fixture.directory() + "/model.safetensors");
  NamedTensors tensors;
  for (const TensorInfo& info : file.tensors()) tensors.emplace_back(info.name, file.tensor(info.name));
  const std::string config = fixture.directory() + "/config.json";
  std::get<1>(GetParam()).change(tensors, read_config(config));

  const TempDirectory directory;
  write_file_atomically(directory / "config.json", read_file(config, kMaxBytes));
  write_safetensors(directory / "model.safetensors", tensors);
  ThreadPool pool(2);
  const auto backend = make_reference_backend(pool, DType::float64);
  expect_close(fixture.run(load_model(directory.path(), *backend), fixture.sequences()), fixture.expected(), kExact);
}

INSTANTIATE_TEST_SUITE_P(, VariationTest,
                         ::testing::Combine(::testing::ValuesIn(family_fixtures()),
                                            ::testing::Values(Variation{"WithoutPrefix", without_prefix},
                                                              Variation{"WithPrefix", with_prefix},
                                                              Variation{"GammaAndBeta", gamma_and_beta},
                                                              Variation{"WithPositionTable", with_position_table},
                                                              Variation{"WithTiedDecoder", with_tied_decoder})),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" + std::get<1>(param.param).name;
                         });

// 16-bit weights: the model equals that of the rounded values.
struct Half {
  const char* dtype;
  uint16_t (*bits)(float);
  float (*value)(uint16_t);
};

void PrintTo(const Half& half, std::ostream* out) { *out << half.dtype; }

// Both to nearest, ties to even.
uint16_t bfloat16_bits(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float bfloat16_value(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t float16_bits(float x) {
  const float size = std::abs(x);
  const int sign = std::signbit(x) ? 0x8000 : 0;
  const int exponent = size < 0x1p-14F ? -15 : std::ilogb(size);  // subnormal: of the format's smallest steps
  const int base = exponent == -15 ? 0 : (exponent + 15) * 1024 - 1024;
  const float steps = exponent == -15 ? size * 0x1p24F : std::ldexp(size, 10 - exponent);
  return static_cast<uint16_t>(sign + base + static_cast<int>(std::nearbyint(steps)));
}

float float16_value(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                   : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return (bits & 0x8000) != 0 ? -size : size;
}

// A safetensors file by hand: the writer has no such types. Integers are left out.
void write_halves(const std::string& path, const SafetensorsFile& file, const Half& half) {
  Json header = Json::object();
  std::string data;
  for (const TensorInfo& info : file.tensors()) {
    if (info.dtype != "F32") continue;
    const Tensor x = file.tensor(info.name);
    const size_t begin = data.size();
    for (int64_t i = 0; i < x.elements(); ++i) {
      const uint16_t bits = half.bits(x.data<float>()[i]);
      data.push_back(static_cast<char>(bits & 0xFF));
      data.push_back(static_cast<char>(bits >> 8));
    }
    header[info.name] = {{"dtype", half.dtype}, {"shape", info.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i));
  write_file_atomically(path, length + text + data);
}

class HalfTest : public ::testing::TestWithParam<std::tuple<std::string, Half>> {};

TEST_P(HalfTest, IsTheModelOfTheRoundedValues) {
  const FamilyFixture fixture(std::get<0>(GetParam()));
  const Half& half = std::get<1>(GetParam());
  const SafetensorsFile file(fixture.directory() + "/model.safetensors");
  NamedTensors rounded;
  for (const TensorInfo& info : file.tensors()) {
    if (info.dtype != "F32") continue;
    const Tensor from = file.tensor(info.name), to = Tensor::allocate(from.shape(), DType::float32);
    for (int64_t i = 0; i < from.elements(); ++i) {
      to.data<float>()[i] = half.value(half.bits(from.data<float>()[i]));
      ASSERT_NEAR(to.data<float>()[i], from.data<float>()[i], 0.004 * std::abs(from.data<float>()[i]) + 1e-7);
    }
    rounded.emplace_back(info.name, to);
  }
  const TempDirectory halves, singles;
  const std::string config = read_file(fixture.directory() + "/config.json", kMaxBytes);
  for (const TempDirectory* directory : {&halves, &singles}) write_file_atomically(*directory / "config.json", config);
  write_halves(halves / "model.safetensors", file, half);
  write_safetensors(singles / "model.safetensors", rounded);

  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  const Activations expected = fixture.run(load_model(singles.path(), *backend), fixture.sequences());
  EXPECT_EQ(fixture.run(load_model(halves.path(), *backend), fixture.sequences()), expected);
  EXPECT_GT(relative_difference(expected.at("last_hidden_state.0"), fixture.expected().at("last_hidden_state.0")),
            kSingle);
}

INSTANTIATE_TEST_SUITE_P(, HalfTest,
                         ::testing::Combine(::testing::ValuesIn(family_fixtures()),
                                            ::testing::Values(Half{"F16", float16_bits, float16_value},
                                                              Half{"BF16", bfloat16_bits, bfloat16_value})),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" + std::get<1>(param.param).dtype;
                         });

}  // namespace
}  // namespace roformer::test
