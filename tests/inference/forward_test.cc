#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "inference/forward.h"
#include "tests/inference/tiny_model.h"

namespace roformer {
namespace {

using Forward = TinyModelTest;

TEST_F(Forward, WritesWhatTheEncoderComputes) {
  const Model m = model();
  write_file_atomically(
      directory_ / "ids.json",
      R"({"input_ids":[[2,9],[7,8,9]],"token_type_ids":[[0,0],[0,1,1]],"position_ids":[[0,1],[3,2,9]]})");
  EXPECT_EQ(forward(m, directory_ / "ids.json", directory_ / "out"), 2);
  Batch batch;
  batch.append(std::vector<int32_t>{7, 8, 9}, std::vector<int32_t>{0, 1, 1});
  batch.positions = {3, 2, 9};
  const Tensor expected = m.trunk().forward({*backend_, nullptr, {}, false}, batch).data;
  const Tensor found = SafetensorsFile(directory_ / "out").tensor("last_hidden_state.1");
  ASSERT_EQ(found.shape(), (Shape{3, 8}));
  for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(found.data<float>()[i], expected.data<float>()[i]);
}

TEST_F(Forward, RefusesMoreActivationsThanMemory) {
  const Model m = model(200'000);
  std::string ids = "[0";
  for (int i = 0; i < 2'000'000; ++i) ids += ",0";  // 1.6 TB of logits
  write_file_atomically(directory_ / "ids.json", "{\"input_ids\":[" + ids + "]]}");
  try {
    forward(m, directory_ / "ids.json", directory_ / "out");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("ids.json: the activations of 2000001 tokens need 160"));
  }
}

TEST_F(Forward, OfATrunkHasNoLogits) {
  write_file_atomically(directory_ / "ids.json", R"({"input_ids":[[2]]})");
  forward(model(0, Head::none), directory_ / "ids.json", directory_ / "out");
  EXPECT_EQ(SafetensorsFile(directory_ / "out").tensors().size(), 1u);
}

}  // namespace
}  // namespace roformer
