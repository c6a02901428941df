// roformer forward: raw ids to activations.
#include "inference/forward.h"

#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "base/progress.h"
#include "cli/engine.h"
#include "cli/registry.h"

namespace roformer {
namespace {

struct ForwardOptions {
  EngineOptions engine;
  std::string model, ids, output;
  std::optional<std::string> attention_mask, rotation;
};

void describe(OptionSet& set, ForwardOptions& options) {
  set.add("--model", options.model, "model directory", "DIR");
  set.add(
      "--ids", options.ids,
      "JSON: {\"input_ids\": [[...], ...], \"token_type_ids\"?, \"position_ids\"?, \"encoder_hidden_states\"?}; for "
      "an encoder-decoder also \"decoder_input_ids\"",
      "FILE");
  set.add("--output", options.output,
          "safetensors file for last_hidden_state.i, pooler_output.i, encoder_last_hidden_state.i and logits.i",
          "FILE");
  set.add("--attention-mask", options.attention_mask,
          "what a token attends to: all, causal, or prefix (UniLM: tokens of type 1 are causal); default: the model's",
          "NAME");
  set.add("--cross-attention-rotation", options.rotation,
          "rotation of the queries in cross-attention: none (transformers) or query (JunnYu's package); default: the "
          "model's",
          "NAME");
  for (const char* name : {"--model", "--ids", "--output"}) set.require(name);
  add_engine(set, options.engine);
}

void run(const ForwardOptions& options) {
  if (options.output.empty()) throw UsageError("{} is empty, expected a file", FieldName("output"));
  StackInputs inputs;
  if (options.attention_mask) inputs.attention_mask = parse_attention_mask(*options.attention_mask);
  if (options.rotation) inputs.rotate_cross_queries = parse_cross_rotation(*options.rotation);
  const Session session(options.model, {.engine = options.engine, .tokenizer = {}});
  print_warnings(session.notes());
  const int64_t sequences = forward(session.model(), options.ids, options.output, inputs);
  std::cout << fmt::format("{} in {}\n", counted(sequences, "sequence"), options.output);
}

}  // namespace

Command forward_command() {
  return {.name = "forward",
          .summary = "Run raw ids through a model and write its activations",
          .group = "Look inside",
          .example = "roformer forward --model model --ids ids.json --output activations.safetensors",
          .prepare = prepare_with<ForwardOptions>(describe, run)};
}

}  // namespace roformer
