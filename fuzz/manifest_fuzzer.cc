// The manifest of the newest snapshot, beside a valid older one: one of the two must be found, the newer only if it
// matches its manifest.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "checkpoint/snapshots.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

constexpr std::string_view kWeights = "weights";

void make_older(const Scratch& scratch) {
  std::filesystem::create_directories(scratch.path("training"));
  SnapshotWriter writer(scratch.path(), 3);
  FileWriter file(writer.path("model.safetensors"));
  file.write(kWeights);
  file.close();
  writer.commit();
}

// Checks of an accepted manifest.
void check_manifest(std::string_view manifest) {
  const Json json = Json::parse(manifest);
  require(json["step"] == 7, "the step is that of the directory");
  for (const auto& [name, entry] : json["files"].items()) {
    require(name == "model.safetensors", "only files that are there are accepted");
    require(entry["size"] == kWeights.size() && entry["xxh3_128"] == hash_hex(kWeights), "sizes and hashes are right");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  if (!std::filesystem::exists(scratch.path("training/step-3/manifest.json"))) make_older(scratch);
  std::filesystem::create_directories(scratch.path("training/step-7"));
  scratch.put("training/step-7/model.safetensors", kWeights);
  const std::string_view manifest = as_text(data, size);
  scratch.put("training/step-7/manifest.json", manifest);

  const SnapshotSearch search = find_latest_snapshot(scratch.path());
  require(search.snapshot.has_value(), "the older snapshot is found");
  if (search.snapshot->step == 7) {
    check_manifest(manifest);
  } else {
    require(search.snapshot->step == 3 && search.skipped.size() == 1, "a snapshot not taken has a reason");
    check_message(search.skipped[0]);
  }
  prune_snapshots(scratch.path(), 2);
  require(find_latest_snapshot(scratch.path()).snapshot.has_value(), "pruning leaves a snapshot");
  return 0;
}

}  // namespace roformer::fuzz
