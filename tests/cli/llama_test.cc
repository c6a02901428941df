// Llamas as the program trains them: from a config, from other weights, stopped and resumed, and used.
#include <cmath>
#include <nlohmann/json.hpp>

#include "formats/safetensors.h"
#include "tests/cli/program.h"
#include "tests/formats/llama2c_bytes.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSteps = 120;

class LlamaProgram : public Workshop {
 protected:
  LlamaProgram() {
    put(path("llama.json"), R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"vocab_size":130,
                                "hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,
                                "num_key_value_heads":2,"intermediate_size":48,"max_position_embeddings":64,
                                "eos_token_id":3})");
  }
  // A run whose shape comes from elsewhere.
  Arguments causal(const std::string& output, const Arguments& more) const {
    return without(pretrain(output, Arguments{"--objective", "clm", "--learning-rate", "0.01"} + more),
                   {"--hidden-size", "--layers", "--heads"});
  }
  Arguments llama(const std::string& output, const Arguments& more = {}) const {
    return causal(output, Arguments{"--config", path("llama.json")} + more);
  }
  Json config_of(const std::string& model) const { return Json::parse(content(path(model) + "/config.json")); }
  double first_loss(const std::string& model) const { return log_of(model).front()["loss"].get<double>(); }
  double last_loss(const std::string& model) const { return log_of(model).back()["loss"].get<double>(); }
  std::string continued(const std::string& model) const {
    return succeed({"generate", "--model", path(model), "--greedy", "--max-new-tokens", "8", "the old"});
  }
};

TEST_F(LlamaProgram, LearnsFromAConfig) {
  succeed(llama("m", {"--steps", "80", "--log-every", "1"}));
  const Json config = config_of("m");
  EXPECT_EQ(config["model_type"], "llama");
  EXPECT_EQ(config["architectures"], Json({"LlamaForCausalLM"}));
  EXPECT_EQ(config["num_key_value_heads"], 2);
  EXPECT_EQ(config["eos_token_id"], 3);
  EXPECT_NEAR(first_loss("m"), std::log(130), 0.3);
  EXPECT_LT(last_loss("m"), 0.6 * first_loss("m"));
  const SafetensorsFile weights(path("m/model.safetensors"));
  EXPECT_EQ(weights.info("model.layers.1.self_attn.k_proj.weight").shape, (std::vector<int64_t>{16, 32}));
  EXPECT_EQ(weights.info("lm_head.weight").shape, (std::vector<int64_t>{130, 32}));
  // A noun follows, as in the grammar.
  EXPECT_THAT(continued("m"), ::testing::ContainsRegex("^ (king|river|garden|ship|child|house|tree|stone)[. ]"));
}

TEST_F(LlamaProgram, StoppedItEndsInTheSameBytes) {
  const Arguments settings = {
      "--steps", std::to_string(kSteps), "--save-every", "10", "--log-every", "1", "--dropout", "0.1", "--accumulate",
      "2"};
  succeed(llama("left_alone", settings));
  for (const int signal : {SIGTERM, SIGKILL}) {
    const std::string output = "signal_" + std::to_string(signal);
    Child child(llama(output, settings));
    ASSERT_TRUE(child.wait_until([&] { return exists(path(output) + "/model.safetensors"); }));
    child.send(signal);
    EXPECT_EQ(child.wait().exit_code, signal == SIGTERM ? 130 : 128 + SIGKILL);
    EXPECT_THAT(run(llama(output, settings)).error, HasSubstr("resuming "));
    expect_same_run("left_alone", output, kSteps);
    EXPECT_EQ(continued(output), continued("left_alone"));
  }
}

TEST_F(LlamaProgram, GoesOnFromASavedLlama) {
  succeed(llama("first", {"--steps", "80"}));
  succeed(causal("same", {"--init-from", path("first"), "--learning-rate", "0"}));
  EXPECT_EQ(config_of("same"), config_of("first"));
  EXPECT_TRUE(content(path("same/model.safetensors")) == content(path("first/model.safetensors")));
  succeed(causal("more", {"--init-from", path("first"), "--steps", "40", "--log-every", "1"}));
  EXPECT_LT(first_loss("more"), 0.7 * std::log(130));
  EXPECT_LT(last_loss("more"), last_loss("first"));
  expect_refused(causal("x", {"--init-from", path("first"), "--objective", "mlm"}), 2, {"llama, a causal model"});
  expect_refused(causal("x", {"--init-from", path("first"), "--position", "learned"}), 2,
                 {"a Llama has rotary positions, not learned"});
  expect_refused(causal("x", {"--init-from", path("first"), "--position", "xpos"}), 2,
                 {"neither learned nor with xPos"});
  succeed(causal("based", {"--init-from", path("first"), "--rotary-base", "500"}));
  EXPECT_EQ(Json::parse(content(path("based/config.json")))["rope_theta"], 500);
  expect_refused(llama("x", {"--attention", "linear-elu"}), 2, {"linear attention"});
  EXPECT_FALSE(exists(path("x")));
}

TEST_F(LlamaProgram, GoesOnFromAConvertedLlama) {
  put(path("model.bin"), llama2c_bytes({.vocabulary = 120, .positions = 32, .shared = false}, 0));
  succeed({"convert", "--from", "llama2c", "--input", path("model.bin"), "--output", path("converted")});
  const Arguments from = {"--init-from", path("converted"), "--steps", "60", "--log-every", "1"};
  succeed(causal("m", from));
  EXPECT_EQ(config_of("m"), config_of("converted"));
  EXPECT_LT(last_loss("m"), 0.8 * first_loss("m"));
  EXPECT_THAT(continued("m"), ::testing::Not(::testing::IsEmpty()));
  // Vectors of the tokenizer that the model does not have.
  put(path("small.bin"), llama2c_bytes({.vocabulary = 119, .positions = 32}, 0));
  succeed({"convert", "--from", "llama2c", "--input", path("small.bin"), "--output", path("small")});
  const Outcome beyond = run(causal("x", {"--init-from", path("small")}));
  EXPECT_EQ(beyond.exit_code, 1);
  EXPECT_THAT(beyond.error, HasSubstr("beyond the model's 119 rows of embeddings"));
}

}  // namespace
}  // namespace roformer::test
