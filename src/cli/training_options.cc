#include "cli/training_options.h"

namespace roformer {

void describe_training_data(OptionSet& set, PretrainOptions& task, std::string_view output_help) {
  set.section("Data");
  set.add("--data", task.data, "text to train on: files, also gzip and zstd, or directories");
  set.require("--data");
  set.add("--validation-data", task.validation_data, "text to validate on");
  set.add("--validation-fraction", task.validation_fraction,
          "instead, the share of the sequences to hold out (if neither is given 0.02, at most 1,000 of them)",
          {0, 1, true, true});
  set.add_choice("--documents", task.documents, {"automatic", "blank-line", "lines", "doc-tags"},
                 "what ends a document (automatic is <doc> tags where present, else blank lines)");
  set.add("--tokenizer", task.tokenizer, "tokenizer or model directory (default: that of --init-from)", "DIR");
  set.add("--output", task.output, output_help, "DIR");
  set.require("--output");
}

void describe_training_shape(OptionSet& set, TrainingCommand& options, bool alone) {
  PretrainOptions& task = options.task;
  set.section("Model");
  add_shape(set, task.shape, alone);
  set.add("--config", task.config, "a config.json whose shape to start from instead of a preset's", "FILE");
  set.add("--init-from", task.init_from, "start from the weights and shape of this model", "DIR");
}

void describe_training_run(OptionSet& set, TrainingCommand& options) {
  PretrainOptions& task = options.task;
  set.section("Run");
  set.add_choice("--objective", task.objective, {"mlm", "clm"},
                 "what is learned: hidden tokens from both sides, or each token from those before it");
  set.add("--max-length", task.max_length, "tokens a sequence (default: the preset's)", {3, 1 << 20});
  set.add("--batch-tokens", task.batch_tokens, "tokens a micro-batch (default: the preset's)", {3, 1 << 28});
  set.add("--accumulate", task.accumulate, "micro-batches a step", {1, 1 << 20});
  set.add("--steps", task.steps, "updates (default: the preset's)", {1, 1'000'000'000'000});
  set.add("--epochs", task.epochs, "instead, passes over the data", {0, 1e9, true, false});
  set.add("--learning-rate", task.learning_rate, "peak (default: the preset's)", {0, 1000});
  set.add("--warmup", task.warmup, "steps of rising rate; below 1 a share of all steps", {0, 1e12});
  set.add_choice("--schedule", task.schedule, {"linear", "constant", "cosine", "inverse-sqrt"},
                 "the rate after the warm-up");
  set.add_choice("--optimizer", options.optimizer, {"adamw"}, "the optimiser");
  set.add("--weight-decay", task.weight_decay, "of weights, not of biases and norms", {0, 1000});
  set.add("--beta1", task.beta1, "AdamW's decay of the mean", {0, 1, false, true});
  set.add("--beta2", task.beta2, "AdamW's decay of the variance", {0, 1, false, true});
  set.add("--epsilon", task.epsilon, "AdamW's floor of the divisor", {0, 1, true, false});
  set.add("--clip-norm", task.clip_norm, "largest norm of the gradient; 0 = no clipping", {0, 1e9});
  set.add("--mask-probability", task.mask_probability, "mlm: share of the tokens to predict (default: 0.15)",
          {0, 1, true, false});
  set.add("--whole-word", task.whole_word, "mlm: mask whole words");
  set.add("--validate-every", task.validate_every, "steps", {1});
  set.add("--save-every", task.save_every, "steps", {1});
  set.add("--log-every", task.log_every, "steps", {1});
  set.add("--histograms-every", task.histograms_every,
          "steps between TensorBoard histograms of all gradients and weights; 0 = none", {0});
  set.add("--keep", task.keep, "snapshots to keep", {1, 1'000'000});
  add_seed(set, task.seed);
  set.add("--reader-threads", task.reader_threads, "threads that tokenise ahead of the training (default: --threads)",
          {1, 1024});
  add_engine(set, options.engine, true);
}

}  // namespace roformer
