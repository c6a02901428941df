// The directory of a training run: a usable model directory plus the training state (cli.md).
//   config.json, model.safetensors, tokenizer files     the model of the newest snapshot
//   training/settings.json                              the run's settings
//   training/step-N/{model,optimizer}.safetensors, state.json, manifest.json
//   training/step-N/published.safetensors               the weights to publish, if other than the model's
//   training/best/model.safetensors                     those of the best validation, where they are kept
//   training/averaged/step-N.safetensors                those to take the mean of at the end, where it is asked for
//   adapter/adapter_config.json, adapter_model.safetensors  LoRA's part of the model, in peft's format, where asked for
//   training/{step-N,best}/adapter.safetensors          that of the weights that are published
//   log.jsonl                                           one line per event
//   tensorboard/events.out.tfevents.*                   the same for TensorBoard, one file per start
//   samples.json                                        what the model makes of a few texts (run_samples.h), of some
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
#include "training/best.h"
#include "training/objective.h"

namespace roformer {

// The settings that a run which was started with `started` and has done `step` steps goes on with when it is given
// `now`; throws if it cannot.
using ContinuedSettings = std::function<Json(const JsonObject& started, const Json& now, int64_t step)>;

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// What a snapshot holds beside weights, optimizer and data position.
struct RunState {
  int64_t tokens = 0;  // seen so far
  BestSoFar best = {};
  bool finished_early = false;
  // Of this step: a stop was requested in the middle of it.
  bool validation_due = false, average_due = false;
};

// What is published where there is no best validation, if other than the model's weights.
struct LastPublished {
  std::function<void(const std::string& path)> write_weights = nullptr;  // into this file
  NamedTensors adapter = {};                                             // beside the weights, unless empty
};

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
  // The state of the newest snapshot.
  const RunState& state() const { return state_; }
  // Whether nothing of a run of so many steps is left to do.
  bool finished(int64_t steps) const {
    const bool ended = state_.finished_early || resumed_step() >= steps;
    return has_snapshot() && ended && !state_.validation_due && !state_.average_due;
  }

  // Restores weights, what `optimizer` names, and data position from the newest snapshot and returns its state.
  // Truncates the log to that step and starts a new event file.
  RunState restore(Model& model, const NamedTensors& optimizer, Objective& objective);

  // Keeps these weights as those of the best validation, and publishes them. They count from the next save() on, whose
  // snapshot holds them too; a run that is resumed from an earlier snapshot gets that one's back.
  // `adapter` is published beside them, unless empty.
  void keep_best(const Model& model, const NamedTensors& adapter = {});

  // Saves the state after `step`, publishes the weights, those of the best validation where there is one, and removes
  // all but the newest `keep` snapshots. On error the older ones are unchanged.
  void save(int64_t step, const RunState& state, const Model& model, NamedTensors optimizer, const Objective& objective,
            int keep, const LastPublished& last = {});

  // The weights' file of a snapshot that was saved.
  std::string snapshot_weights(int64_t step) const;

  // Appends one event to log.jsonl and flushes it; its numbers go to TensorBoard as EVENT/KEY.
  void log(const Json& event);
  // TensorBoard only.
  void log_histogram(int64_t step, const std::string& tag, const Histogram& histogram);

 private:
  void check_settings(const Json& started) const;
  void write_settings() const;
  void cut_log(int64_t step);
  void start_events();
  std::string best_file(const char* name) const;  // of those that the best validation keeps
  // Puts in place what the snapshot publishes, where a killed run left other weights.
  void publish_from(const std::string& snapshot);

  std::string path_;
  std::shared_ptr<const Json> settings_;
  std::optional<DirectoryLock> lock_;
  std::optional<Snapshot> snapshot_;
  RunState state_;
  std::vector<std::string> skipped_;
  std::unique_ptr<FileWriter> log_;
  std::unique_ptr<EventFile> events_;
};

}  // namespace roformer
