// The settings that affect a run's result, as stored in training/settings.json and compared when resuming.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "base/setting.h"

namespace roformer {

inline constexpr int64_t kMaxSettingsBytes = 1 << 20;  // of training/settings.json

// `resolved` plus all used settings with Effect::result. `resolved` must hold the value of each setting with
// Effect::resolved, and may hold more that affects the result (the model's config, the dtype).
Json run_settings(const SettingValues& values, const Json& resolved);

// A hash of a tokenizer's files. tokenizer.json beside a vocab.txt is redundant and skipped, so that runs from before
// it was written can resume.
std::string hash_files(const std::map<std::string, std::string>& files);

}  // namespace roformer
