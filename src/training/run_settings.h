// The settings that affect a run's result, as stored in training/settings.json and compared when resuming.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/setting.h"

namespace roformer {

inline constexpr int64_t kMaxSettingsBytes = 1 << 20;  // of training/settings.json

// `resolved` plus all used settings with Effect::result. `resolved` must hold the value of each setting with
// Effect::resolved, and may hold more that affects the result (the model's config, the dtype).
Json run_settings(const SettingValues& values, const Json& resolved);

// One line per setting of `now` that is another in `started`, also inside objects: "seed was 1, now 2".
std::vector<std::string> setting_differences(const Json& started, const Json& now);
// What an error about them begins with.
std::string other_settings(const std::string& directory, const std::vector<std::string>& differences);

// A hash of a tokenizer's files. tokenizer.json beside a vocab.txt is redundant and skipped, so that runs from before
// it was written can resume.
std::string hash_files(const std::map<std::string, std::string>& files);

}  // namespace roformer
