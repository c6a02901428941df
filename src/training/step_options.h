// How a training step departs from the plain one: what is trained, averages of the weights, adversarial passes, memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/setting.h"

namespace roformer {

// Low-rank adaptation (Hu et al. 2021).
struct LoraOptions {
  std::optional<int64_t> rank = {};  // empty: none
  std::optional<double> alpha = {};  // empty: the rank
  std::vector<std::string> targets = {"query", "value"};
  std::string save = "merged";  // or "adapter"

  double scale() const { return alpha ? *alpha / static_cast<double>(*rank) : 1; }
};

struct StepOptions {
  bool gradient_checkpointing = false;
  std::optional<std::string> freeze = {};
  std::optional<double> ema_decay = {}, fgm_epsilon = {};
  LoraOptions lora = {};
};

const std::vector<std::string>& lora_target_names();

template <OptionsOf<StepOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  constexpr Effect kResult = Effect::result;
  visitor.flag(options.gradient_checkpointing,
               {"gradient_checkpointing",
                "compute each layer again in the backward pass instead of keeping its activations: the same result in "
                "less memory and about two fifths more time"});
  visitor.text(options.freeze,
               {"freeze",
                "what is not trained: embeddings, a number of layers (the lowest, and the embeddings), or encoder (all "
                "but the head and the pooler)",
                kResult},
               "WHAT");
  visitor.real(options.ema_decay,
               {"ema_decay",
                "validate and publish the exponential moving average of the weights, decaying by this much per step, "
                "and by (1 + step) / (10 + step) where that is less",
                kResult},
               {0, 1, true, true});
  visitor.real(options.fgm_epsilon,
               {"fgm_epsilon",
                "adversarial training (FGM, Miyato et al. 2017): add the gradients at word embeddings that are moved "
                "so far along their own",
                kResult},
               {0, 1e6, true, false});
  visitor.integer(options.lora.rank,
                  {"lora_rank",
                   "train low-rank changes of this rank in the `lora_targets`, and the head, instead of all weights "
                   "(LoRA, Hu et al. 2021); the model is saved with them added",
                   kResult},
                  {1, 1 << 16});
  std::optional<Unused> no_lora;
  if (!options.lora.rank) no_lora = {"lora_rank", "is not given"};
  visitor.real(options.lora.alpha,
               {.name = "lora_alpha",
                .help = "the changes are multiplied by this over the rank (default: the rank)",
                .effect = kResult,
                .unused = no_lora},
               {0, 1e6, true, false});
  visitor.words(options.lora.targets,
                {.name = "lora_targets", .help = "weights to change", .effect = kResult, .unused = no_lora},
                lora_target_names());
  visitor.choice(options.lora.save,
                 {.name = "lora_save",
                  .help = "adapter: also save the changes and the head alone, in adapter/, as peft does",
                  .effect = kResult,
                  .unused = no_lora},
                 {"merged", "adapter"});
}

}  // namespace roformer
