#include "training/run_samples.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace roformer {

namespace {

std::string samples_file(const std::string& directory) { return join_path(directory, "samples.json"); }

}  // namespace

void write_samples(const RunSamples& samples, const std::string& directory) {
  const Json json = {{"columns", samples.columns}, {"rows", samples.rows}};
  write_file_atomically(samples_file(directory), dump_json(json) + "\n");
}

std::optional<RunSamples> read_samples(const std::string& directory) {
  const std::string path = samples_file(directory);
  if (!exists(path)) return std::nullopt;
  const JsonObject json = JsonObject::read(path);
  RunSamples samples;
  try {
    samples = {.columns = json.value().at("columns").get<std::vector<std::string>>(),
               .rows = json.value().at("rows").get<std::vector<std::vector<std::string>>>()};
  } catch (const Json::exception&) {
    json.reject("rows", "lists of texts");
  }
  const auto complete = [&](const auto& row) { return row.size() == samples.columns.size(); };
  if (!std::ranges::all_of(samples.rows, complete)) json.reject("rows", "a text for each of the columns");
  return samples;
}

}  // namespace roformer
