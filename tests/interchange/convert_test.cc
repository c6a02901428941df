#include "interchange/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "formats/directory_weights.h"
#include "formats/safetensors.h"
#include "interchange/self_check.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kModel = ROFORMER_SOURCE_DIR "/tests/fixtures/small_ragged";
constexpr const char* kTable = "roformer.encoder.embed_positions.weight";

std::string content(const std::string& path) { return read_file(path, 1 << 26); }

class ConvertTest : public ::testing::Test {
 protected:
  ConvertReport convert_to(const std::string& input, const std::string& output) {
    return convert({.input = input, .output = directory_ / output}, *backend_);
  }
  // The model under alternative names, and their canonical names.
  std::string renamed(const std::string& name, const std::function<std::string(const std::string&)>& rename,
                      StateDict more = {}) {
    const std::string path = directory_ / name;
    fs::create_directory(path);
    fs::copy_file(kModel + "/config.json", path + "/config.json");
    for (const auto& [old_name, tensor] : load_directory_weights(kModel).tensors) more[rename(old_name)] = tensor;
    write_safetensors(path + "/model.safetensors", {more.begin(), more.end()});
    return path;
  }
  template <class Kind>
  std::string error_of(const std::string& input, const std::string& output) {
    try {
      convert_to(input, output);
    } catch (const Kind& error) {
      return error.what();
    }
    return "none";
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
};

TEST_F(ConvertTest, WritesTheModelAndSaysWhatItChecked) {
  const ConvertReport report = convert_to(kModel, "deep/out/");
  const StateDict source = load_directory_weights(kModel).tensors,
                  result = load_directory_weights(directory_ / "deep/out").tensors;
  int64_t numbers = 0;
  for (const auto& [name, tensor] : source) {
    numbers += tensor.elements();
    ASSERT_TRUE(result.contains(name)) << name;
    EXPECT_EQ(std::memcmp(tensor.raw(), result.at(name).raw(), static_cast<size_t>(tensor.bytes())), 0) << name;
  }
  EXPECT_EQ(report.tensors, static_cast<int64_t>(source.size()));
  EXPECT_EQ(report.numbers, numbers);
  EXPECT_EQ(report.source_hash, report.result_hash);
  EXPECT_EQ(report.source_hash.size(), 32u);
  EXPECT_TRUE(report.written && report.left_out.empty() && report.files.empty());
  // The table that transformers expects: sines, then cosines.
  ASSERT_EQ(result.size(), source.size() + 1);
  const Tensor table = result.at(kTable);
  EXPECT_EQ(table.row<float>(0)[0], 0.0f);
  EXPECT_EQ(table.row<float>(0)[table.columns() - 1], 1.0f);
  EXPECT_EQ(table.row<float>(1)[0], static_cast<float>(std::sin(1.0)));
  EXPECT_EQ(SafetensorsFile(directory_ / "deep/out/model.safetensors").metadata().at("format"), "pt");
  for (const auto& entry : fs::directory_iterator(directory_ / "deep")) EXPECT_EQ(entry.path().filename(), "out");
}

TEST_F(ConvertTest, OldNamesBecomeThoseOfToday) {
  const StateDict model = load_directory_weights(kModel).tensors;
  const Tensor words = model.at("roformer.embeddings.word_embeddings.weight");
  const std::string old =
      renamed("old",
              [](std::string name) {
                if (name.starts_with("roformer.")) name = name.substr(9);
                if (name.ends_with("LayerNorm.weight")) name.replace(name.size() - 6, 6, "gamma");
                if (name.ends_with("LayerNorm.bias")) name.replace(name.size() - 4, 4, "beta");
                return name == "cls.predictions.bias" ? "cls.predictions.decoder.bias" : name;
              },
              {{"cls.predictions.decoder.weight", words}, {"encoder.embed_positions.weight", words}});
  const ConvertReport plain = convert_to(kModel, "plain"), report = convert_to(old, "out");
  EXPECT_EQ(content(directory_ / "out/model.safetensors"), content(directory_ / "plain/model.safetensors"));
  EXPECT_EQ(report.result_hash, plain.result_hash);
  ASSERT_EQ(report.left_out.size(), 2u);
  EXPECT_EQ(report.left_out[0].name, "cls.predictions.decoder.weight");
  EXPECT_EQ(report.left_out[0].reason, "tied to the word embedding");
  EXPECT_EQ(report.left_out[1].reason, "computed from the positions");
}

TEST_F(ConvertTest, ADifferentDecoderIsNotTied) {
  const Tensor words = load_directory_weights(kModel).tensors.at("roformer.embeddings.word_embeddings.weight");
  const Tensor other = Tensor::allocate(words.shape(), DType::float32);
  std::fill_n(other.data<float>(), other.elements(), 0.5f);
  const std::string source =
      renamed("untied", [](const std::string& name) { return name; }, {{"cls.predictions.decoder.weight", other}});
  const ConvertReport report = convert_to(source, "out");
  EXPECT_THAT(report.notes.warnings, ElementsAre(HasSubstr("cls.predictions.decoder.weight")));
  EXPECT_TRUE(report.left_out.empty());
  EXPECT_EQ(JsonObject::read(directory_ / "out/config.json").value()["tie_word_embeddings"], false);
  const Tensor written = load_directory_weights(directory_ / "out").tensors.at("cls.predictions.decoder.weight");
  EXPECT_EQ(written.row<float>(1)[0], 0.5f);
}

TEST_F(ConvertTest, NamesLoseTheirWrapper) {
  const std::string source = renamed("wrapped", [](const std::string& name) { return "_orig_mod." + name; });
  convert_to(kModel, "plain");
  EXPECT_TRUE(convert_to(source, "out").notes.warnings.empty());
  EXPECT_EQ(content(directory_ / "out/model.safetensors"), content(directory_ / "plain/model.safetensors"));
}

TEST_F(ConvertTest, CompanionFilesAreCopied) {
  const std::string source = renamed("source", [](const std::string& name) { return name; });
  JsonObject config = JsonObject::read(source + "/config.json");
  Json changed = config.value();
  changed["torch_dtype"] = "float16";
  changed["summary_type"] = "first";
  write_file_atomically(source + "/config.json", changed.dump());
  write_file_atomically(source + "/modules.json",
                        R"([{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"}])");
  write_file_atomically(source + "/special_tokens_map.json", "{}");
  write_file_atomically(source + "/notes.txt", "private");
  fs::create_directory(source + "/1_Pooling");
  write_file_atomically(source + "/1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}");
  EXPECT_THAT(convert_to(source, "out").files,
              ElementsAre("1_Pooling/config.json", "modules.json", "special_tokens_map.json"));
  EXPECT_EQ(content(directory_ / "out/1_Pooling/config.json"), content(source + "/1_Pooling/config.json"));
  const Json written = JsonObject::read(directory_ / "out/config.json").value();
  EXPECT_EQ(written["summary_type"], "first");
  EXPECT_FALSE(written.contains("torch_dtype"));
  for (const char* path : {"../source", "/etc", "..", "a/../.."}) {
    write_file_atomically(source + "/modules.json", std::string(R"([{"type": "Pooling", "path": ")") + path + "\"}]");
    EXPECT_THAT(error_of<DataError>(source, "other"), HasSubstr("expected the name of a folder")) << path;
  }
  EXPECT_FALSE(fs::exists(directory_ / "other"));

  // A transformer in a folder comes out of it.
  const std::string sentences = directory_ / "sentences";
  fs::create_directory(sentences);
  fs::rename(source + "/1_Pooling", sentences + "/1_Pooling");
  fs::remove(source + "/modules.json");
  fs::rename(source, sentences + "/0_BERT");
  write_file_atomically(sentences + "/modules.json",
                        R"([{"path": "0_BERT", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"}])");
  EXPECT_THAT(convert_to(sentences, "flat").files,
              ElementsAre("1_Pooling/config.json", "modules.json", "special_tokens_map.json"));
  EXPECT_EQ(Json::parse(content(directory_ / "flat/modules.json"))[0]["path"], "");
}

TEST_F(ConvertTest, ATokenizerOfAVocabularyIsCompleted) {
  const std::string source = renamed("source", [](const std::string& name) { return name; });
  write_file_atomically(source + "/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nking\n");
  convert_to(source, "out");
  EXPECT_EQ(content(directory_ / "out/vocab.txt"), content(source + "/vocab.txt"));
  EXPECT_TRUE(fs::exists(directory_ / "out/tokenizer_config.json"));
  write_file_atomically(source + "/tokenizer_config.json", "{\"tokenizer_class\": \"Unknown\"}");
  convert_to(source, "untouched");
  EXPECT_EQ(content(directory_ / "untouched/tokenizer_config.json"), "{\"tokenizer_class\": \"Unknown\"}");
}

TEST_F(ConvertTest, WhatIsThereAlreadyIsNotReplaced) {
  fs::create_directory(directory_ / "out");  // an empty directory may be there
  EXPECT_TRUE(convert_to(kModel, "out").written);
  EXPECT_FALSE(convert_to(kModel, "out").written);
  write_file_atomically(directory_ / "out/config.json", "{}");
  EXPECT_THAT(error_of<FileError>(kModel, "out"), HasSubstr("its \"config.json\" is missing or different"));
  EXPECT_EQ(content(directory_ / "out/config.json"), "{}");
  write_file_atomically(directory_ / "file", "x");
  EXPECT_THAT(error_of<FileError>(kModel, "file"), HasSubstr("is a file, expected a directory"));
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    EXPECT_FALSE(is_temporary_name(entry.path().filename().string()));
  }
}

TEST_F(ConvertTest, WrongUseAndMissingFiles) {
  EXPECT_THROW(convert({.input = "", .output = "x"}, *backend_), UsageError);
  EXPECT_THROW(convert({.input = kModel, .output = ""}, *backend_), UsageError);
  EXPECT_THROW(convert({.from = "paddle", .input = kModel, .output = directory_ / "x"}, *backend_), UsageError);
  EXPECT_THROW(convert({.to = "paddle", .input = kModel, .output = directory_ / "x"}, *backend_), UsageError);
  EXPECT_THROW(convert_to(directory_ / "nowhere", "x"), FileError);
  EXPECT_FALSE(fs::exists(directory_ / "x"));
}

// The rotary layout does not change the logits of any family's fixture.
class RotaryLayoutTest : public ConvertTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void relay(const std::string& input, const std::string& output, RotaryLayout layout, int64_t permuted) {
    const ConvertReport report =
        convert({.input = input, .output = directory_ / output, .rotary_layout = layout}, *backend_);
    EXPECT_EQ(report.permuted, permuted);
    EXPECT_TRUE(report.old_layout.has_value());
  }
  // Hidden states of a few sequences in float64; decoders with cross-attention get random encoder states.
  std::vector<double> hidden(const std::string& directory) {
    const auto reference = make_reference_backend(pool_, DType::float64);
    const Model model = load_model(directory, *reference);
    const int64_t vocabulary = model.config().vocabulary, tokens = 23;
    Generator generator({61, 62});
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<int32_t>(generator.below(vocabulary)));
    Batch batch;
    batch.append(std::span(ids).first(9));
    batch.append(std::span(ids).subspan(9));
    const Context context{*reference};
    StackInputs inputs;
    const std::vector<int32_t> memory_offsets{0, 5, 12};
    if (model.config().cross_attention) {
      const Tensor memory = reference->empty({12, model.config().hidden});
      for (int64_t i = 0; i < memory.elements(); ++i) memory.data<double>()[i] = generator.normal();
      inputs.memory = Value(memory);
      inputs.memory_offsets = memory_offsets;
    }
    const Tensor result = model.trunk().forward(context, batch, inputs).data;
    return {result.data<double>(), result.data<double>() + result.elements()};
  }
  // Queries and keys, weights and biases; values and outputs; cross-attention's.
  static int64_t expected_tensors(const ModelConfig& config) {
    const bool values = std::get<RotaryPosition>(config.position).rotate_values;
    const int64_t each = config.biased ? 2 : 1;
    return config.layers * (2 * each + (values ? each + 1 : 0) + (config.cross_attention ? 2 * each : 0));
  }
};

TEST_P(RotaryLayoutTest, ThereAndBackGivesTheSameBitsAndHiddenStatesDoNotChange) {
  const std::string source = ROFORMER_SOURCE_DIR "/tests/fixtures/" + GetParam();
  const ModelConfig config = read_config(source + "/config.json");
  relay(source, "half", RotaryLayout::half, expected_tensors(config));
  relay(directory_ / "half", "back", RotaryLayout::adjacent, expected_tensors(config));
  convert_to(source, "plain");
  EXPECT_EQ(content(directory_ / "back/model.safetensors"), content(directory_ / "plain/model.safetensors"));
  EXPECT_EQ(content(directory_ / "back/config.json"), content(directory_ / "plain/config.json"));

  const Json written = JsonObject::read(directory_ / "half/config.json").value();
  EXPECT_EQ(written["rotary_layout"], "half");
  EXPECT_EQ(written["model_type"], "roformer_variant");
  const std::vector<double> before = hidden(source), after = hidden(directory_ / "half");
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-6 * (1 + std::abs(before[i])));
  // Without the permutation the same weights give different results.
  fs::copy_file(source + "/model.safetensors", directory_ / "half/model.safetensors",
                fs::copy_options::overwrite_existing);
  const std::vector<double> wrong = hidden(directory_ / "half");
  double difference = 0;
  for (size_t i = 0; i < before.size(); ++i) difference = std::max(difference, std::abs(wrong[i] - before[i]));
  EXPECT_GT(difference, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, RotaryLayoutTest,
                         ::testing::Values("small_ragged", "rotary_value", "families/roformer_small_generator",
                                           "families/roformer_model_cross_rotary_value", "families/junnyu_cross",
                                           "families/v2_masked_lm", "families/roformer_sequence_single_label"),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });

TEST_F(ConvertTest, ALayoutThatIsThereAlreadyChangesNothing) {
  const ConvertReport report =
      convert({.input = kModel, .output = directory_ / "same", .rotary_layout = RotaryLayout::adjacent}, *backend_);
  EXPECT_EQ(report.old_layout, RotaryLayout::adjacent);
  EXPECT_EQ(report.permuted, 0);
  convert_to(kModel, "plain");
  for (const char* file : {"/model.safetensors", "/config.json"}) {
    EXPECT_EQ(content(directory_ / "same" + file), content(directory_ / "plain" + file));
  }
  EXPECT_THROW(convert({.input = ROFORMER_SOURCE_DIR "/tests/fixtures/families/bert_model",
                        .output = directory_ / "bert",
                        .rotary_layout = RotaryLayout::half},
                       *backend_),
               UsageError);
  EXPECT_FALSE(fs::exists(directory_ / "bert"));
}

TEST_F(ConvertTest, EncoderDecoders) {
  const std::string folder = ROFORMER_SOURCE_DIR "/tests/fixtures/encoder_decoders/";
  for (const std::string name : {"shared", "separate", "untied"}) {
    const ConvertReport report = convert_to(folder + name, name);
    for (const auto& [tensor, reason] : report.left_out) {
      const bool unused = tensor == "decoder.cls.predictions.bias";  // of an untied decoder
      EXPECT_EQ(reason, unused ? "not part of the model that config.json names" : "computed from the positions");
    }
    EXPECT_EQ(JsonObject::read(directory_ / name + "/config.json").value().at("decoder").at("use_cache"), true);
    EXPECT_EQ(load_directory_weights(directory_ / name).tensors.size(),
              load_directory_weights(folder + name).tensors.size());
  }
  // Shared embeddings of which the file has one, and a tied decoder of its own name.
  StateDict once = load_directory_weights(folder + "shared").tensors;
  const Tensor words = once.at("decoder.roformer.embeddings.word_embeddings.weight");
  once.erase("encoder.embeddings.word_embeddings.weight");
  once.emplace("decoder.cls.predictions.decoder.weight", words);
  fs::create_directories(directory_ / "once");
  fs::copy_file(folder + "shared/config.json", directory_ / "once/config.json");
  write_safetensors(directory_ / "once/model.safetensors", {once.begin(), once.end()});
  const ConvertReport report = convert_to(directory_ / "once", "again");
  EXPECT_EQ(content(directory_ / "again/model.safetensors"), content(directory_ / "shared/model.safetensors"));
  ASSERT_EQ(report.left_out.size(), 3u);
  EXPECT_EQ(report.left_out[0].name, "decoder.cls.predictions.decoder.weight");
  EXPECT_EQ(report.left_out[0].reason, "tied to the word embedding");
}

TEST_F(ConvertTest, TheSelfCheckFindsAnyDifference) {
  const StateDict good = load_directory_weights(kModel).tensors;
  EXPECT_NO_THROW(self_check(good, kModel));
  StateDict changed = good;
  const std::string name = "roformer.embeddings.LayerNorm.bias";
  changed[name] = Tensor::allocate(good.at(name).shape(), DType::float32);
  std::memcpy(changed[name].raw(), good.at(name).raw(), static_cast<size_t>(good.at(name).bytes()));
  EXPECT_NO_THROW(self_check(changed, kModel));
  changed[name].data<float>()[3] = std::nextafter(changed[name].data<float>()[3], 1e9f);
  EXPECT_THROW(self_check(changed, kModel), DataError);
  changed.erase(name);
  EXPECT_THROW(self_check(changed, kModel), DataError);
}

}  // namespace
}  // namespace roformer
