// The directory of a training run: a usable model directory plus the training state (cli.md).
//   config.json, model.safetensors, tokenizer files     the model of the newest snapshot
//   training/settings.json                              the run's settings
//   training/step-N/{model,optimizer}.safetensors, state.json, manifest.json
//   log.jsonl                                           one line per event
//   tensorboard/events.out.tfevents.*                   the same for TensorBoard, one file per start
//   report.html                                         plots of the log, written at the end
// Locked by one run at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "checkpoint/snapshots.h"
#include "models/model.h"
#include "report/event_file.h"
#include "training/objective.h"
#include "training/optimizer.h"

namespace roformer {

// The settings that a run which was started with `started` and has done `step` steps goes on with when it is given
// `now`; throws if it cannot.
using ContinuedSettings = std::function<Json(const JsonObject& started, const Json& now, int64_t step)>;

class RunDirectory {
 public:
  // Creates the directory or opens it to resume. `settings` are those that affect the result: UsageError listing the
  // differences if the run was started with others, unless `continued` gives those to go on with, which are stored;
  // FileError if the directory holds a model or a config.json but no run, or is locked by another run. `files`
  // (config.json, tokenizer files) are written if absent or different.
  RunDirectory(const std::string& path, const Json& settings, const std::map<std::string, std::string>& files,
               const ContinuedSettings& continued = nullptr);

  const std::string& path() const { return path_; }
  // Step of the newest valid snapshot, 0 for a new run; and why newer ones were rejected.
  int64_t resumed_step() const { return snapshot_ ? snapshot_->step : 0; }
  bool has_snapshot() const { return snapshot_.has_value(); }
  const std::vector<std::string>& skipped() const { return skipped_; }

  // Restores weights, optimizer state and data position from the newest snapshot and returns the tokens seen so far.
  // Truncates the log to that step and starts a new event file.
  int64_t restore(Model& model, Optimizer& optimizer, Objective& objective);

  // Saves the state after `step`, publishes the weights, and removes all but the newest `keep` snapshots. On error the
  // older ones are unchanged.
  void save(int64_t step, int64_t tokens, const Model& model, const Optimizer& optimizer, const Objective& objective,
            int keep);

  // Appends one event to log.jsonl and flushes it; its numbers go to TensorBoard as EVENT/KEY.
  void log(const Json& event);
  // TensorBoard only.
  void log_histogram(int64_t step, const std::string& tag, const Histogram& histogram);

 private:
  void check_settings(const Json& started) const;
  void write_settings() const;
  void cut_log(int64_t step);
  void start_events();

  std::string path_;
  std::shared_ptr<const Json> settings_;
  std::optional<DirectoryLock> lock_;
  std::optional<Snapshot> snapshot_;
  std::vector<std::string> skipped_;
  std::unique_ptr<FileWriter> log_;
  std::unique_ptr<EventFile> events_;
};

}  // namespace roformer
