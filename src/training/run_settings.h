// What decides the result of a run, by the names people use: training/settings.json, which a run that goes on is
// compared with.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "base/setting.h"

namespace roformer {

// `resolved` and, of the settings that are used, those with an effect. `resolved` says of each with Effect::resolved
// what it came to, and may say more that decides the result (the model's config, the number type).
Json run_settings(const SettingValues& values, const Json& resolved);

// Of a tokenizer's files. Beside a vocab.txt, tokenizer.json says again what that says; runs of before it was written
// go on.
std::string hash_files(const std::map<std::string, std::string>& files);

}  // namespace roformer
