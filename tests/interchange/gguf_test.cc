// Models and tokenizers in GGUF files: read, converted to directories, and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/directory_weights.h"
#include "formats/gguf_model.h"
#include "formats/safetensors.h"
#include "inference/forward.h"
#include "interchange/convert.h"
#include "tests/base/temp_directory.h"
#include "text/tokenizer.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

const std::string kGgufFolder = ROFORMER_SOURCE_DIR "/tests/fixtures/gguf/";

class GgufModelTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string path() const { return kGgufFolder + GetParam() + ".gguf"; }
  Json json() const { return JsonObject::read(kGgufFolder + GetParam() + ".json").value(); }
  std::string in(const std::string& name) const { return directory_ / name; }

  // The largest difference of logits from transformers' from the dequantized weights.
  double difference(const std::string& model, Backend& backend) {
    forward(load_model(model, backend), kGgufFolder + GetParam() + ".json", in("out.safetensors"));
    const SafetensorsFile expected(kGgufFolder + GetParam() + ".safetensors"), found(in("out.safetensors"));
    double largest = 0;
    for (const TensorInfo& info : expected.tensors()) {
      const Tensor right = expected.tensor(info.name), ours = found.tensor(info.name);
      EXPECT_EQ(ours.shape(), right.shape());
      for (int64_t i = 0; i < right.elements(); ++i) {
        const double value = ours.dtype() == DType::float64 ? ours.data<double>()[i] : ours.data<float>()[i];
        largest = std::max(largest, std::abs(value - right.data<double>()[i]));
      }
    }
    return largest;
  }
  ConvertReport convert_file(const std::string& from, const std::string& to, const std::string& input,
                             const std::string& output, const std::string& type = "f16") {
    return convert({.from = from, .to = to, .input = input, .output = output, .gguf_type = type}, *cpu_);
  }
  void expect_tokens(const std::string& model) {
    const auto tokenizer = load_tokenizer(model);
    const Json expected = json();
    for (const Json& text : expected.at("texts")) {
      EXPECT_EQ(tokenizer->encode(text.at("text").get<std::string>()).ids, text.at("ids").get<std::vector<int32_t>>())
          << text;
    }
  }

  TempDirectory directory_;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_);
};

TEST_P(GgufModelTest, ComputesWhatTransformersDoes) { EXPECT_LT(difference(path(), *cpu_), 2e-5); }

TEST_P(GgufModelTest, NothingIsUnusual) {
  LoadNotes notes;
  load_model(path(), *cpu_, false, &notes);
  EXPECT_THAT(notes.warnings, IsEmpty());
}

TEST_P(GgufModelTest, TokensAreThoseOfTheReference) {
  EXPECT_EQ(model_directory(path()), path());
  expect_tokens(path());
}

TEST_P(GgufModelTest, ADirectoryOfItComputesTheSame) {
  const ConvertReport report = convert_file("gguf", "transformers", path(), in("model"));
  EXPECT_THAT(report.left_out, IsEmpty());
  EXPECT_LT(difference(in("model"), *cpu_), 2e-5);
  expect_tokens(in("model"));
  forward(load_model(path(), *cpu_), kGgufFolder + GetParam() + ".json", in("file.safetensors"));
  forward(load_model(in("model"), *cpu_), kGgufFolder + GetParam() + ".json", in("directory.safetensors"));
  EXPECT_EQ(MappedFile(in("file.safetensors")).view(), MappedFile(in("directory.safetensors")).view());
}

// F16 and blocks of a directory's weights; what was rounded once is rounded no further.
TEST_P(GgufModelTest, ThereAndBack) {
  convert_file("gguf", "transformers", path(), in("model"));
  for (const std::string type : {"f16", "q8_0", "q4_0"}) {
    SCOPED_TRACE(type);
    const ConvertReport report = convert_file("transformers", "gguf", in("model"), in(type + ".gguf"), type);
    EXPECT_EQ(report.source_hash, report.result_hash);
    EXPECT_EQ(report.tensors, static_cast<int64_t>(GgufModel(path()).tensors().size()));
    expect_tokens([&] { return model_directory(in(type + ".gguf")); }());
    EXPECT_LT(difference(in(type + ".gguf"), *cpu_), type == "f16" ? 2e-2 : type == "q8_0" ? 0.5 : 6);
    convert_file("gguf", "transformers", in(type + ".gguf"), in(type));
    const ConvertReport again = convert_file("transformers", "gguf", in(type), in(type + "-again.gguf"), type);
    EXPECT_EQ(again.result_hash, report.result_hash) << "rounded twice";
    EXPECT_FALSE(convert_file("transformers", "gguf", in("model"), in(type + ".gguf"), type).written);
  }
  EXPECT_THROW(convert_file("transformers", "gguf", in("model"), in("f16.gguf"), "q8_0"), FileError);
}

INSTANTIATE_TEST_SUITE_P(Files, GgufModelTest, ::testing::Values("llama", "spm", "neox"),
                         [](const auto& param) { return std::string(param.param); });

class GgufDirectoryTest : public ::testing::Test {
 protected:
  TempDirectory directory_;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_);
};

TEST_F(GgufDirectoryTest, FilesAreBelowTheFile) {
  const std::string copy = directory_ / "model.gguf";
  std::filesystem::copy_file(kGgufFolder + "llama.gguf", copy);
  EXPECT_FALSE(exists(copy + "/config.json"));
  EXPECT_EQ(model_directory(copy), copy);
  EXPECT_TRUE(is_directory(copy));
  EXPECT_TRUE(is_file(copy));
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    EXPECT_TRUE(exists(copy + "/" + name)) << name;
  }
  EXPECT_EQ(JsonObject::read(copy + "/config.json").get_int("vocab_size", {}), 295);
  EXPECT_EQ(JsonObject::read(copy + "/tokenizer_config.json").get_string("chat_template", ""),
            "{% for m in messages %}{{ m['content'] }}{% endfor %}");
  const Json scaling = JsonObject::read(copy + "/config.json").value().at("rope_scaling");
  EXPECT_EQ(scaling.at("rope_type"), "llama3");
  EXPECT_EQ(scaling.at("original_max_position_embeddings"), 32);
  // Another file of the name is another directory.
  std::filesystem::copy_file(kGgufFolder + "spm.gguf", copy, std::filesystem::copy_options::overwrite_existing);
  model_directory(copy);
  EXPECT_FALSE(exists(copy + "/tokenizer.json"));
  EXPECT_TRUE(exists(copy + "/tokenizer.model"));
}

TEST_F(GgufDirectoryTest, WeightsWithoutBlocksStayMapped) {
  const GgufModel model(kGgufFolder + "spm.gguf");
  const Tensor mapped = model.stored("model.layers.0.mlp.up_proj.weight");
  const auto* begin = model.file().mapped()->data();
  const auto* at = static_cast<const char*>(mapped.raw());
  EXPECT_TRUE(at >= begin && at < begin + model.file().mapped()->size());
}

TEST_F(GgufDirectoryTest, NamesATypeThatIsNotRead) {
  std::string bytes(MappedFile(kGgufFolder + "llama.gguf").view());
  const std::string name = "blk.0.ffn_up.weight";
  const size_t type = bytes.find(name) + name.size() + 4 + 2 * 8;
  ASSERT_EQ(bytes[type], 2);  // Q4_0
  bytes[type] = 20;           // IQ4_NL, of as many bytes a block
  write_file_atomically(directory_ / "model.gguf", bytes);
  EXPECT_THAT([&] { load_model(directory_ / "model.gguf", *cpu_); },
              ThrowsMessage<DataError>(HasSubstr("\"blk.0.ffn_up.weight\" is IQ4_NL, expected F32, F16, BF16, Q8_0")));
}

TEST_F(GgufDirectoryTest, NamesBlocksThatAreNotFinite) {
  std::string bytes(MappedFile(kGgufFolder + "llama.gguf").view());
  const GgufFile file(kGgufFolder + "llama.gguf");
  const GgufTensor& tensor = *file.find("blk.1.ffn_down.weight");
  const auto at = static_cast<size_t>(tensor.offset + 2 * tensor.type->row_bytes(tensor.shape.back()));
  bytes[at + 1] = 0x7E;  // the scale of the first block of row 2 is NaN
  write_file_atomically(directory_ / "model.gguf", bytes);
  EXPECT_THAT([&] { load_model(directory_ / "model.gguf", *cpu_); },
              ThrowsMessage<DataError>(HasSubstr("\"blk.1.ffn_down.weight\"")));
}

TEST_F(GgufDirectoryTest, RefusesWhatTheFormatHasNoPlaceFor) {
  const auto refused = [&](const std::string& input, const std::string& message) {
    EXPECT_THAT([&] { convert({.to = "gguf", .input = input, .output = directory_ / "out.gguf"}, *cpu_); },
                ThrowsMessage<DataError>(HasSubstr(message)));
    EXPECT_FALSE(exists(directory_ / "out.gguf"));
  };
  refused(ROFORMER_SOURCE_DIR "/tests/fixtures/small_ragged", "models of model_type");
  refused(ROFORMER_SOURCE_DIR "/tests/fixtures/llama/biased_tied",
          "cannot express what config.json says in: hidden_act");
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / ""));  // nor anything else
}

TEST(GgufIntegers, ThatGroupsCannotHoldAreRefusedInInt4AndNamedInInt8) {
  ThreadPool pool(1);
  const auto int4 = make_cpu_backend(pool, Precision::int4), int8 = make_cpu_backend(pool, Precision::int8);
  const std::string mixed = kGgufFolder + "llama.gguf", plain = kGgufFolder + "neox.gguf";
  EXPECT_THAT([&] { load_model(mixed, *int4); }, ThrowsMessage<DataError>(HasSubstr("is in Q5_1, which groups of 32")));
  LoadNotes notes;
  load_model(mixed, *int8, false, &notes).prepare();
  EXPECT_THAT(notes.warnings, ::testing::Contains(HasSubstr("are rounded to int8")));
  load_model(plain, *int8, false, &notes).prepare();
  EXPECT_THAT(notes.warnings, ::testing::Not(::testing::Contains(HasSubstr("rounded"))));
  load_model(plain, *int4).prepare();
}

}  // namespace
}  // namespace roformer::test
