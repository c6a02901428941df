// Pre-training in stages (Su et al. 2021, Table 4): each goes on from the weights and the optimizer's state of the one
// before, with lengths, texts and a learning-rate schedule of its own. A training without stages has one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/json.h"
#include "training/pretrain_plan.h"
#include "training/training_text.h"

namespace roformer {

// The settings that stages may differ in.
const std::vector<std::string_view>& stage_settings();

struct Stage {
  PretrainOptions options;
  PretrainPlan plan;
  std::unique_ptr<const TrainingCorpora> corpora = nullptr;
  Schedule schedule = {};

  int64_t steps() const { return schedule.steps - schedule.begin; }
};

// The longest sequence of any.
int64_t longest_sequence(std::span<const PretrainOptions> stages);

// Checks the options of each, plans it, and reads its texts; the schedules are still to be set. `tokenizer` must
// outlive the result. A UsageError begins with the number of its stage where there are several.
std::vector<Stage> plan_stages(std::span<const PretrainOptions> options, const Tokenizer& tokenizer);

// Sets the schedules, one after the other. `sequences` are those of an epoch, used only with `epochs`.
void set_schedules(std::vector<Stage>& stages, int64_t sequences);

// The settings of a run: those of a single stage (run_settings.h); of several with the settings that these may differ
// in as "stage-2.max-length".
Json settings_of(const std::vector<Stage>& stages, Precision precision, const std::string& tokenizer_hash);

bool in_stages(const JsonObject& settings);

// The settings with which a run in `directory` goes on that was started with others: the same, with more stages behind
// those it had. UsageError for others.
Json continue_stages(const std::string& directory, const JsonObject& started, const Json& now);

}  // namespace roformer
