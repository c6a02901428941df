// Directories of other programs, by the program's commands: what each warns of, and --init-from of every form.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/safetensors.h"
#include "formats/state_dict.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class UnusualModels : public Workshop {
 protected:
  // Trains a tiny model with this objective.
  std::string model(const std::string& objective = "mlm") {
    succeed(pretrain("trained", {"--steps", "1", "--objective", objective}));
    return path("trained");
  }
  static NamedTensors tensors_of(const std::string& directory) {
    const SafetensorsFile file(directory + "/model.safetensors");
    NamedTensors tensors;
    for (const TensorInfo& info : file.tensors()) {
      const Tensor mapped = file.tensor(info.name), own = Tensor::allocate(mapped.shape(), mapped.dtype());
      copy_tensor(mapped, own);
      tensors.emplace_back(info.name, own);
    }
    return tensors;
  }
  // A copy of a model with these tensors, and these keys of config.json (null: none).
  std::string changed(const std::string& directory, const std::string& name, const NamedTensors& tensors,
                      const Json& keys = Json::object()) {
    const std::string to = path(name);
    std::filesystem::create_directory(to);
    for (const char* file : {"vocab.txt", "tokenizer_config.json"})
      put(to + "/" + file, content(directory + "/" + file));
    Json config = Json::parse(content(directory + "/config.json"));
    for (const auto& [key, value] : keys.items()) {
      config[key] = value;
      if (value.is_null()) config.erase(key);
    }
    put(to + "/config.json", config.dump());
    write_safetensors(to + "/model.safetensors", tensors);
    return to;
  }
  // The weights in two shards and an index.
  std::string sharded(const std::string& directory, const std::string& name) {
    const NamedTensors tensors = tensors_of(directory);
    const std::string to = changed(directory, name, tensors);
    std::filesystem::remove(to + "/model.safetensors");
    const auto middle = tensors.begin() + static_cast<std::ptrdiff_t>(tensors.size() / 2);
    const std::pair<const char*, NamedTensors> shards[] = {
        {"model-00001-of-00002.safetensors", {tensors.begin(), middle}},
        {"model-00002-of-00002.safetensors", {middle, tensors.end()}}};
    Json map;
    for (const auto& [file, held] : shards) {
      write_safetensors(to + "/" + file, held);
      for (const auto& one : held) map[one.first] = file;
    }
    put(to + "/model.safetensors.index.json", Json{{"weight_map", map}}.dump());
    return to;
  }
  static int64_t count(const std::string& text, const std::string& part) {
    int64_t found = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  Arguments start_from(const std::string& directory, const std::string& output, const std::string& objective = "mlm") {
    return without(pretrain(output, {"--init-from", directory, "--objective", objective, "--steps", "2"}),
                   {"--hidden-size", "--layers", "--heads"});
  }
};

TEST_F(UnusualModels, EveryCommandSaysTheSameOnce) {
  const std::string plain = model();
  NamedTensors tensors = tensors_of(plain);
  tensors.emplace_back("linear.weight", Tensor::allocate({2, 3}, DType::float32));
  const std::string directory = changed(plain, "unusual", tensors, {{"novelty", 1}, {"architectures", {"MyMagic"}}});
  put(path("ids.json"), R"({"input_ids":[[2,9,3]]})");
  const std::vector<Arguments> commands = {
      {"embed", "--model", directory, "a king"},
      {"fill-mask", "--model", directory, "the [MASK] king"},
      {"similarity", "--model", directory, "a\tb"},
      {"forward", "--model", directory, "--ids", path("ids.json"), "--output", path("o.safetensors")},
      {"inspect", "--model", directory},
      {"bench", "--model", directory, "--lengths", "5", "--seconds", "0"},
      {"convert", "--input", directory, "--output", path("converted")}};
  for (const Arguments& command : commands) {
    SCOPED_TRACE(command[0]);
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    for (const char* part :
         {"config.json: not understood and ignored: novelty", "\"linear.weight\" [2, 3]", "\"MyMagic\""})
      EXPECT_EQ(count(outcome.error, part), 1) << part << "\n" << outcome.error;
  }
  const std::string page = succeed({"inspect", "--model", directory});
  EXPECT_THAT(page, HasSubstr("head        masked language model (architectures names \"MyMagic\""));
  const Outcome trained = run(start_from(directory, "more"));
  EXPECT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_EQ(count(trained.error, "\"linear.weight\" [2, 3]"), 1) << trained.error;
}

TEST_F(UnusualModels, InspectSaysWhyWhereConfigJsonDoesNot) {
  const std::string plain = model();
  NamedTensors tensors = tensors_of(plain);
  for (auto& [name, tensor] : tensors) name = "module." + name;
  const std::string directory = changed(plain, "bare", tensors, {{"model_type", nullptr}, {"architectures", nullptr}});
  EXPECT_THAT(succeed({"inspect", "--model", directory}),
              AllOf(HasSubstr("family      roformer (no model_type: by the name of tensor \"module.roformer."),
                    HasSubstr("head        masked language model (no architectures: "),
                    HasSubstr("names without \"module.\"")));
  const Json json = json_lines(succeed({"inspect", "--model", directory, "--json"})).at(0);
  EXPECT_EQ(json["family"], "roformer");
  EXPECT_EQ(json["head"], "masked language model");
  EXPECT_EQ(json["warnings"], Json::array());
  const Arguments filled = {"fill-mask", "--json", "the [MASK] king", "--model"};
  EXPECT_EQ(succeed(filled + Arguments{directory}), succeed(filled + Arguments{plain}));
}

// The trunk serves where the head is not needed; the error of a command that needs it shows both names.
TEST_F(UnusualModels, AHeadWithATensorMissing) {
  const std::string plain = model();
  NamedTensors tensors = tensors_of(plain);
  for (auto& [name, tensor] : tensors) {
    if (name == "cls.predictions.bias") name = "cls.prediction.bias";
  }
  const std::string directory = changed(plain, "headless", tensors);
  const Arguments embed = {"embed", "--json", "a king", "--model"};
  EXPECT_EQ(succeed(embed + Arguments{directory}), succeed(embed + Arguments{plain}));
  const Outcome outcome = run({"fill-mask", "--model", directory, "the [MASK] king"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error,
              AllOf(HasSubstr("\"cls.predictions.bias\" [120]"), HasSubstr("\"cls.prediction.bias\" [120]")));
}

TEST_F(UnusualModels, TrainingStartsFromEveryForm) {
  const std::string one = model("clm");
  NamedTensors wrapped = tensors_of(one);
  for (auto& [name, tensor] : wrapped) name = "_orig_mod." + name;
  succeed(start_from(one, "from-one", "clm"));
  succeed(start_from(sharded(one, "shards"), "from-shards", "clm"));
  succeed(start_from(changed(one, "wrapped", wrapped), "from-wrapped", "clm"));
  for (const char* other : {"from-shards", "from-wrapped"}) {
    EXPECT_TRUE(content(path("from-one/model.safetensors")) == content(path(other) + "/model.safetensors")) << other;
  }
}

TEST_F(UnusualModels, TheHeadOfATrunkStartsAnew) {
  const std::string plain = model();
  NamedTensors trunk = tensors_of(plain);
  std::erase_if(trunk, [](const auto& one) { return one.first.starts_with("cls."); });
  const std::string directory = changed(plain, "trunk", trunk, {{"architectures", {"RoFormerModel"}}});
  const Outcome outcome = run(start_from(directory, "more"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("which start anew: cls.predictions.transform.dense.weight, "),
                                   HasSubstr("cls.predictions.bias")));
  EXPECT_THAT(run(start_from(plain, "whole")).error, Not(HasSubstr("anew")));
  // The trunk's weights are the model's: two steps change them little.
  const SafetensorsFile before(plain + "/model.safetensors"), after(path("more/model.safetensors"));
  const std::string name = "roformer.embeddings.LayerNorm.weight";
  EXPECT_NEAR(after.tensor(name).data<float>()[0], before.tensor(name).data<float>()[0], 0.01);
  // A trunk's own tensor is never made up.
  std::erase_if(trunk, [&](const auto& one) { return one.first == name; });
  const Outcome refused = run(start_from(changed(plain, "broken", trunk), "no"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.error, HasSubstr("missing: \"" + name + "\""));
}

TEST_F(UnusualModels, ATokenBeyondTheModelsRows) {
  const std::string plain = model();
  const std::string directory = changed(plain, "more-tokens", tensors_of(plain));
  put(directory + "/vocab.txt", content(directory + "/vocab.txt") + "zebra\n");
  const Arguments filled = {"fill-mask", "--json", "the [MASK] king", "--model"};
  EXPECT_EQ(succeed(filled + Arguments{directory}), succeed(filled + Arguments{plain}));
  const Outcome outcome = run({"embed", "--model", directory, "a zebra"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error,
              HasSubstr("the text holds the token \"zebra\", whose id 120 is beyond the model's 120 rows"));
}

}  // namespace
}  // namespace roformer::test
