#include "cli/stage_file.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "cli/config_file.h"
#include "cli/setting_options.h"
#include "training/stages.h"

namespace roformer {

std::vector<PretrainOptions> read_stages(const std::string& path, const PretrainOptions& common) {
  std::vector<PretrainOptions> stages;
  for (const std::vector<ConfigEntry>& entries : read_config_tables(path, "stage")) {
    PretrainOptions& stage = stages.emplace_back(common);
    std::optional<int64_t> batch;
    OptionSet set("stage", "");
    SettingOptions options = SettingOptions::only(set, stage_settings());
    visit_data_settings(stage, options);
    visit_run_settings(stage, options);
    set.add("--batch", batch, "Sequences per micro-batch", {1, 1 << 20});
    set.read_entries(entries, "a stage");
    if (!set.given("--steps")) {
      throw UsageError("{}: stage {} has no \"steps\", expected them in each", path, stages.size());
    }
    if (!batch) continue;
    if (set.given("--batch-tokens")) {
      throw UsageError("{}: use either this or \"batch-tokens\"", set.spelled("--batch"));
    }
    stage.batch_tokens = *batch * stage.max_length.value_or(run_defaults(stage).max_length);
  }
  return stages;
}

}  // namespace roformer
