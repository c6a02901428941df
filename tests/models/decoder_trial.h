// Fixtures and config.json of decoder-only families.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "tests/base/temp_directory.h"
#include "tests/models/fixture_model.h"

namespace roformer::test {

class DecoderFixtureTest : public FixtureModelTest {
 protected:
  explicit DecoderFixtureTest(const std::string& folder) : FixtureModelTest(folder, 1e-9) {}

  // The same tensors, bit by bit, under transformers' names, except for the prefix, which a trunk saved alone lacks.
  void expect_the_same_tensors_when_written(const std::string& trunk) {
    expect_the_same_when_written();
    const SafetensorsFile theirs(fixture_.directory() + "/model.safetensors"),
        ours(directory_ / "once/model.safetensors");
    const std::string prefix = load(*cpu_).config().head == Head::none ? trunk : "";
    std::set<std::string> their_names, our_names;
    for (const TensorInfo& info : ours.tensors()) our_names.insert(info.name);
    for (const TensorInfo& info : theirs.tensors()) their_names.insert(prefix + info.name);
    ASSERT_EQ(our_names, their_names);
    for (const TensorInfo& info : theirs.tensors()) {
      EXPECT_EQ(values_of(ours.tensor(prefix + info.name)), values_of(theirs.tensor(info.name))) << info.name;
    }
  }

  // The outputs of a file with these tensors and the fixture's config.json.
  void expect_right_with(const std::vector<std::pair<std::string, Tensor>>& tensors) {
    const TempDirectory other;
    write_safetensors(other / "model.safetensors", tensors);
    write_file_atomically(other / "config.json", read_file(fixture_.directory() + "/config.json", kMaxBytes));
    expect_close(fixture_.run(load_model(other.path(), *cpu_), fixture_.sequences()), fixture_.expected(), kSingle);
  }
};

// The config.json of a small model.
struct DecoderFile {
  const char *model_type, *architecture;
  int64_t hidden;

  ModelConfig read(const Json& more = Json::object(), std::vector<std::string>* unknown = nullptr) const {
    Json json = {{"model_type", model_type}, {"architectures", {architecture}}, {"vocab_size", 50},
                 {"hidden_size", hidden},    {"num_hidden_layers", 2},          {"num_attention_heads", 4},
                 {"intermediate_size", 40}};
    json.update(more);
    return read_config(JsonObject(json, "some/config.json"), unknown);
  }

  void expect_refused(const Json& more, const std::string& message) const {
    EXPECT_THAT([&] { read(more); }, ::testing::ThrowsMessage<DataError>(::testing::HasSubstr(message))) << more;
  }
};

}  // namespace roformer::test
