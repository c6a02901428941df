// The directory of a training run: a usable model directory, with the state of training beside it (cli.md).
//   config.json, model.safetensors, tokenizer files     for everybody
//   training/settings.json                              what the run was started with
//   training/step-N/{model,optimizer}.safetensors, state.json, manifest.json
//   log.jsonl                                           one line an event
//   tensorboard/events.out.tfevents.*                   the same for TensorBoard, a file for each start
//   report.html                                         the log as plots, once the run has ended
// One run at a time; the weights outside are always those of the newest snapshot.
#pragma once

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

class RunDirectory {
 public:
  // Creates the directory or opens it to resume. `settings` is what decides the result: a directory that was started
  // with others is refused, naming each difference (UsageError); so is one that holds a model or a
  // config.json but no run (FileError).
  // `files` (config.json, tokenizer files) are written where absent or different. FileError if another run holds the
  // directory.
  RunDirectory(const std::string& path, const Json& settings, const std::map<std::string, std::string>& files);

  const std::string& path() const { return path_; }
  // Step of the newest valid snapshot, 0 for a new run; and why newer ones were not taken.
  int64_t resumed_step() const { return snapshot_ ? snapshot_->step : 0; }
  const std::vector<std::string>& skipped() const { return skipped_; }

  // Loads weights, the state of the optimizer and the place in the data of the newest snapshot; returns the tokens seen
  // so far. Cuts the log back to that step and starts an event file from there.
  int64_t restore(Model& model, Optimizer& optimizer, Objective& objective);

  // Saves the state after `step`, publishes the weights, and removes all but the newest `keep` snapshots. If it throws,
  // the older ones are as they were.
  void save(int64_t step, int64_t tokens, const Model& model, const Optimizer& optimizer, const Objective& objective,
            int keep);

  // Appends one event to log.jsonl and hands it to the system; its numbers go to TensorBoard as EVENT/KEY.
  void log(const Json& event);
  // For TensorBoard only.
  void log_histogram(int64_t step, const std::string& tag, const Histogram& histogram);

 private:
  void check_settings(const Json& settings) const;
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
