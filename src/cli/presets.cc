#include "cli/presets.h"

#include <fmt/format.h>

#include "training/pretrain_options.h"

namespace roformer {

std::string presets_text() {
  constexpr const char* kRow = "{:<16} {:>6} {:>7} {:>6} {:>9} {:>12} {:>14} {:>8} {:>9}\n";
  std::string text = "--preset sets the shape and these defaults; other options change single values.\n\n";
  text += fmt::format(kRow, "", "", "hidden", "", "key/value", "tokens per", "tokens per", "", "learning");
  text += fmt::format(kRow, "preset", "layers", "size", "heads", "heads", "sequence", "micro-batch", "steps", "rate");
  for (const std::string& name : preset_names()) {
    const ModelConfig shape = preset_config(name);
    const RunDefaults run = preset_run(name);
    text += fmt::format(kRow, name, shape.layers, shape.hidden, shape.heads, shape.key_heads(), run.max_length,
                        run.batch_tokens, run.steps, run.learning_rate);
  }
  PretrainOptions further;
  further.init_from = "a model";
  return text + fmt::format(
                    "\nAll warm up over the first tenth of the steps and then decrease linearly to 0 (--warmup, "
                    "--schedule).\nWith --init-from the shape is the model's and the learning rate {}; the rest is the "
                    "preset's.\n",
                    run_defaults(further).learning_rate);
}

}  // namespace roformer
