// Checks of every fixture's model, for any family.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "formats/safetensors.h"
#include "models/save_model.h"
#include "tests/base/temp_directory.h"
#include "tests/models/family_fixture.h"

namespace roformer::test {

inline constexpr double kSingle = 2e-5;        // of float32
inline constexpr int64_t kMaxBytes = 1 << 20;  // of any file of a fixture

class FixtureModelTest : public ::testing::TestWithParam<std::string> {
 protected:
  // `folder` of tests/fixtures; `exact` is the tolerance of float64 results, `single` of float32.
  FixtureModelTest(const std::string& folder, double exact, double single = kSingle)
      : fixture_(GetParam(), folder), tolerance_(exact), single_(single) {}

  Model load(Backend& backend) { return load_model(fixture_.directory(), backend); }

  void expect_right_when_packed() {
    expect_close(fixture_.run(load(*exact_), fixture_.sequences()), fixture_.expected(), tolerance_);
    expect_close(fixture_.run(load(*cpu_), fixture_.sequences()), fixture_.expected(), single_);
  }

  void expect_right_one_by_one() {
    expect_close(fixture_.run_one_by_one(load(*exact_)), fixture_.expected(), tolerance_);
    expect_close(fixture_.run_one_by_one(load(*cpu_)), fixture_.expected(), single_);
  }

  void expect_every_key_understood() {
    LoadNotes notes;
    load_model(fixture_.directory(), *cpu_, false, &notes);
    EXPECT_THAT(notes.warnings, ::testing::IsEmpty());
  }

  // Saves the model to directory_ / "once". Loading and saving that again changes no byte.
  void expect_the_same_when_written() {
    const Activations before = fixture_.run(load(*cpu_), fixture_.sequences());
    save_model(load(*cpu_), {}, directory_ / "once");
    EXPECT_EQ(fixture_.run(load_model(directory_ / "once", *cpu_), fixture_.sequences()), before);
    save_model(load_model(directory_ / "once", *cpu_), {}, directory_ / "twice");
    for (const std::string file : {"/config.json", "/model.safetensors"}) {
      EXPECT_EQ(read_file(directory_ / "twice" + file, kMaxBytes), read_file(directory_ / "once" + file, kMaxBytes))
          << file;
    }
  }

  Json config_json() const { return JsonObject::read(fixture_.directory() + "/config.json").value(); }

  std::vector<std::pair<std::string, Tensor>> tensors() const {
    std::vector<std::pair<std::string, Tensor>> all;
    const SafetensorsFile file(fixture_.directory() + "/model.safetensors");
    for (const TensorInfo& info : file.tensors()) all.emplace_back(info.name, file.tensor(info.name));
    return all;
  }

  // The outputs of a directory with these tensors and this config.json.
  Activations run_with(const std::vector<std::pair<std::string, Tensor>>& tensors, const Json& config) {
    const TempDirectory other;
    write_safetensors(other / "model.safetensors", tensors);
    write_file_atomically(other / "config.json", config.dump());
    return fixture_.run(load_model(other.path(), *cpu_), fixture_.sequences());
  }

  FamilyFixture fixture_;
  double tolerance_, single_;
  TempDirectory directory_;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> exact_ = make_reference_backend(pool_, DType::float64);
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_);
};

}  // namespace roformer::test
