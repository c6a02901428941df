// Settings of a training that a grid varies, as people write them: a sweep "learning-rate=1e-3,2e-3", a variant
// "name=wide hidden-size=512 layers=2". Names are those of the settings of PretrainOptions, which check the values.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "training/pretrain_options.h"

namespace roformer {

struct VariedSetting {
  std::string name, value;  // "learning-rate", "1e-3"
};

// One row of a grid, in what it differs from the others.
struct VariedSettings {
  std::string name;
  std::vector<VariedSetting> settings;
};

// "NAME=VALUE,VALUE,...". UsageError for another form, a value twice, and settings that a grid sets itself (seed).
std::vector<VariedSetting> parse_sweep(const std::string& text);
// All combinations of the sweeps' values, the last sweep's changing fastest; one without settings or name where there
// is no sweep. UsageError for a setting that is in two sweeps.
std::vector<VariedSettings> sweep_product(const std::vector<std::string>& sweeps);

// "[name=NAME] SETTING=VALUE ...", separated by spaces; lists are written with commas. Without a name the settings are
// it. UsageError for another form, a setting twice or of the grid itself, and a name that is no is_variant_name().
VariedSettings parse_variant(const std::string& text);

// UsageError for settings that do not exist and invalid values.
void apply_settings(const std::vector<VariedSetting>& settings, PretrainOptions& options);
// {"learning-rate": 0.001}: what the settings are in `options`, to which they have been applied.
Json settings_json(const std::vector<VariedSetting>& settings, const PretrainOptions& options);

// Whether this may name a variant and so be part of a path: letters, digits, spaces and . _ + - =, the first a letter
// or digit. Letters of any script are letters.
bool is_variant_name(const std::string& name);
// The name without characters that have a meaning to `plot`, `report` or a shell: "rotary+learning-rate-1e-3".
std::string variant_file_name(const std::string& name);

}  // namespace roformer
