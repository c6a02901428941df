#include "training/trainer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "formats/safetensors.h"
#include "models/save_model.h"
#include "training/adapter_files.h"
#include "training/run_report.h"
#include "training/snapshot_average.h"

namespace roformer {

namespace {

Histogram histogram_of(const Tensor& x) {
  if (!x.contiguous()) throw ShapeError("histogram of {} with a row stride", x.shape().to_string());
  const auto count = static_cast<size_t>(x.elements());
  if (x.dtype() == DType::float64) return make_histogram(std::span<const double>(x.data<double>(), count));
  return make_histogram(std::span<const float>(x.data<float>(), count));
}

struct Moment {
  double seconds = now_seconds(), cpu_seconds = process_cpu_seconds();
};

// While it exists, the model has the averages of the weights, where they are averaged.
class AveragedWeights {
 public:
  explicit AveragedWeights(TrainingStep& step) : average_(step.average()) { exchange(); }
  ~AveragedWeights() { exchange(); }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  void exchange() {
    if (average_ != nullptr) average_->exchange();
  }

  WeightAverage* average_;
};

class TrainingRun {
 public:
  TrainingRun(Model& model, Objective& objective, const TrainerOptions& options, RunDirectory& directory)
      : model_(model),
        objective_(objective),
        options_(options),
        directory_(directory),
        update_(model, options.optimizer, options.schedule, options.random, options.step),
        step_(directory.resumed_step()),
        start_(step_),
        state_(directory.restore(model, update_.state(), objective)),
        progress_({.label = "train", .total = options.schedule.steps, .start = step_, .times = !options.times},
                  options.output) {
    if (directory.has_snapshot()) saved_step_ = step_;
    if (options.best && options.average_snapshots > 1) {
      snapshots_.emplace(directory.path(), options.average_snapshots, step_);
      if (directory.has_snapshot()) keep_for_average();
    }
    for (const std::string& notice : directory.skipped()) progress_.print("skipped " + notice);
    if (step_ > options.schedule.begin)
      progress_.print(fmt::format("resuming {} after step {}", directory.path(), step_));
    if (!saves_adapter()) return;
    const std::string folder = join_path(directory.path(), "adapter");
    make_directories(folder);
    write_file_atomically(join_path(folder, "adapter_config.json"),
                          adapter_config(model, options.step.lora, options.base_model));
  }

  TrainingResult finish() {
    const int64_t last = options_.schedule.steps;
    rate_begin_ = {};
    waited_ = objective_.waited();
    if (!directory_.has_snapshot()) {
      if (options_.validate_first || last == 0) validate();
      if (last == 0) save();
    }
    const bool validation_due = std::exchange(state_.validation_due, false);
    const bool average_due = std::exchange(state_.average_due, false);
    if (validation_due) validate();
    if (average_due || (validation_due && is_last())) try_average();
    if (validation_due || average_due) {
      saved_step_.reset();  // what is saved is the state before it
      save();
    }
    while (step_ < last && !state_.finished_early) {
      prepare_step();
      train_step();
      const bool log_now = step_ == last || step_ % every().log_every == 0 || step_ == 1;
      if (log_now) log_training();
      if (histograms_due()) log_histograms();
      if (step_ == last || step_ % every().validate_every == 0) validate();
      if (state_.finished_early && !log_now) log_training();
      if (is_last()) try_average();
      if (is_last() || step_ % every().save_every == 0) save();
      progress_.update(step_, note());
      if (options_.stop_token.stop_requested() && !is_last()) stop();
    }
    if (step_ > 0 || validation_.labels > 0) write_report();
    progress_.finish();
    return {step_, state_.tokens, validation_, state_.best.best};
  }

 private:
  const Intervals& every() const { return options_.intervals; }
  bool is_last() const { return step_ == options_.schedule.steps || state_.finished_early; }

  // Saves the training state if data cannot be read.
  void prepare_step() {
    try {
      objective_.prepare(step_ + 1);
    } catch (const Interrupted&) {
      if (step_ > 0) stop();
      throw;
    } catch (const Error&) {
      if (step_ > 0) save();
      throw;
    }
    ++step_;
  }

  void log(Json event) {
    if (options_.stage > 0) event["stage"] = options_.stage;
    directory_.log(event);
  }

  bool histograms_due() const {
    return every().histograms_every > 0 && (step_ == options_.schedule.steps || step_ % every().histograms_every == 0);
  }

  void train_step() {
    done_ = update_.run(step_, objective_, {.on_failure = last_saved(), .keep_gradients = histograms_due()});
    state_.tokens += objective_.tokens();
    rate_tokens_ += objective_.tokens();
  }

  std::string last_saved() const {
    return saved_step_ ? fmt::format("the last good state is step {} in {}", *saved_step_, directory_.path())
                       : "nothing had been saved yet";
  }

  void log_training() {
    const Moment now;
    const double seconds = now.seconds - rate_begin_.seconds, cpu_seconds = now.cpu_seconds - rate_begin_.cpu_seconds;
    rate_ = seconds > 0 ? static_cast<double>(rate_tokens_) / seconds : 0;
    const double waited = objective_.waited();
    const double data_wait = seconds > 0 ? std::min(1.0, (waited - waited_) / seconds) : 0;
    waited_ = waited;
    Json event = {{"event", "train"},
                  {"step", step_},
                  {"loss", done_.loss},
                  {"learning_rate", done_.learning_rate},
                  {"gradient_norm", done_.gradient_norm},
                  {"tokens", state_.tokens},
                  {"tokens_per_second", rate_},
                  {"data_wait", data_wait}};
    if (options_.cpu_speed && cpu_seconds > 0) {
      event["tokens_per_cpu_second"] = static_cast<double>(rate_tokens_) / cpu_seconds;
    }
    rate_tokens_ = 0;
    rate_begin_ = {};
    log(event);
  }

  // The rates count training only.
  void leave_out_since(const Moment& begin) {
    const Moment now;
    rate_begin_.seconds += now.seconds - begin.seconds;
    rate_begin_.cpu_seconds += now.cpu_seconds - begin.cpu_seconds;
  }

  // Gradients are those of the step; weights are already updated.
  void log_histograms() {
    const Moment begin;
    for (const auto& [name, parameter, role] : model_.parameters()) {
      if (!parameter.gradient.defined()) continue;
      Backend& backend = model_.backend();
      directory_.log_histogram(step_, "gradients/" + name, histogram_of(backend.to_host(parameter.gradient)));
      directory_.log_histogram(step_, "weights/" + name, histogram_of(backend.to_host(parameter.value)));
    }
    leave_out_since(begin);
  }

  void validate() {
    const Moment begin;
    const bool done = measure();
    leave_out_since(begin);
    if (!done) {
      state_.validation_due = true;
      stop();
    }
    const bool more = validation_.labels > 0 && step_ < options_.schedule.steps;
    if (more && options_.best && state_.best.exhausted(*options_.best)) finish_early();
  }

  // False if a stop came in the middle.
  bool measure() {
    const AveragedWeights averaged(update_);
    try {
      validation_ = objective_.validate({model_.backend(), nullptr, {}, false});
    } catch (const Interrupted&) {
      if (step_ == 0) throw;
      return false;
    }
    if (validation_.labels > 0) note_validation();
    return true;
  }

  void note_validation() {
    check_finite(step_, validation_.loss, "validation loss", last_saved());
    Json event = {{"event", averaged_ > 0 ? "average" : "validation"}, {"step", step_}, {"loss", validation_.loss}};
    if (averaged_ > 0) event["snapshots"] = averaged_;
    std::string line = fmt::format("step {:>6}  validation loss {:.4f}", step_, validation_.loss);
    if (validation_.accuracy) {
      event["accuracy"] = *validation_.accuracy;
      line += fmt::format("  accuracy {:.1f} %", 100 * *validation_.accuracy);
    }
    if (validation_.perplexity && std::isfinite(*validation_.perplexity)) {
      event["perplexity"] = *validation_.perplexity;
      line += fmt::format("  perplexity {:.4g}", *validation_.perplexity);
    }
    if (validation_.bits_per_character) {
      event["bits_per_character"] = *validation_.bits_per_character;
      line += fmt::format("  {:.4f} bits per character", *validation_.bits_per_character);
    }
    for (const auto& [name, value] : validation_.metrics) {
      event[name] = value;
      line += fmt::format("  {} {:.4f}", name, value);
    }
    log(event);
    const bool better = options_.best && state_.best.add(*options_.best, step_, validation_);
    if (better) line += "  (best)";
    progress_.print(line);
    if (better) keep_best();
  }

  // The mean of the last snapshots' weights, as one more validation of the last step.
  void try_average() {
    if (!snapshots_ || snapshots_->size() == 1) return;
    const Moment begin;
    const Evaluation of_last = validation_;
    progress_.print(fmt::format("the mean of the weights of the last {} snapshots:", snapshots_->size()));
    const std::vector<Tensor> own = snapshots_->apply(model_);
    averaged_ = snapshots_->size();
    const bool done = measure();
    averaged_ = 0;
    SnapshotAverage::restore(model_, own);
    validation_ = of_last;
    leave_out_since(begin);
    if (done) return;
    state_.average_due = true;
    stop();
  }

  void keep_for_average() {
    if (snapshots_ && step_ % every().save_every == 0) snapshots_->keep(step_, directory_.snapshot_weights(step_));
  }

  void keep_best() {
    check_weights();
    directory_.keep_best(model_, adapter());
    const std::string& metric = options_.best->metric;
    directory_.log({{"event", "best"}, {"step", step_}, {metric, metric_of(validation_, metric)}});
  }

  bool saves_adapter() const { return options_.step.lora.rank && options_.step.lora.save == "adapter"; }
  NamedTensors adapter() const { return saves_adapter() ? adapter_tensors(model_, *update_.lora()) : NamedTensors(); }

  void finish_early() {
    state_.finished_early = true;
    const std::string& metric = options_.best->metric;
    const std::string best =
        state_.best.best ? fmt::format("the best was at step {}", state_.best.best->step) : "none was a finite number";
    progress_.print(fmt::format("stopping after step {}: no better {} in {} validations; {}", step_, metric,
                                state_.best.since, best));
    directory_.log({{"event", "early_stop"}, {"step", step_}, {"validations", state_.best.since}});
  }

  // A non-finite state must not replace a good one.
  void check_weights() const {
    for (const NamedParameter& named : model_.parameters()) {
      check_finite(step_, model_.backend().squared_norm({&named.parameter.value, 1}), "squared norm of " + named.name,
                   last_saved());
    }
  }

  void save() {
    if (saved_step_ == step_) return;
    check_weights();
    const Moment begin;
    const auto write_average = [&](const std::string& path) {
      const AveragedWeights averaged(update_);
      write_safetensors(path, file_weights(model_), {{"format", "pt"}});
    };
    LastPublished last{.adapter = adapter()};
    if (update_.average() != nullptr) last.write_weights = write_average;
    directory_.save(step_, state_, model_, update_.state(), objective_, static_cast<int>(every().keep), last);
    saved_step_ = step_;
    keep_for_average();
    leave_out_since(begin);
  }

  // The model is already saved, so errors are only reported.
  void write_report() {
    try {
      write_run_report(directory_.path(), join_path(directory_.path(), "report.html"));
    } catch (const Error& error) {
      progress_.print(fmt::format("error: the report was not written: {}", error.what()));
    }
  }

  [[noreturn]] void stop() {
    save();
    write_report();
    progress_.finish();
    throw Interrupted("interrupted; saved after step {}. Rerun the same command to resume", step_);
  }

  std::string note() const {
    if (!options_.times) return fmt::format("loss {:.3f}  {:.0f} tokens/s", done_.loss, rate_);
    return fmt::format("loss {:.3f}  {}", done_.loss,
                       options_.times({.start = start_, .done = step_, .all = options_.schedule.steps}));
  }

  Model& model_;
  Objective& objective_;
  const TrainerOptions& options_;
  RunDirectory& directory_;
  TrainingStep update_;
  int64_t step_;
  const int64_t start_;  // the step it was resumed after
  RunState state_;
  Progress progress_;
  std::optional<int64_t> saved_step_;
  std::optional<SnapshotAverage> snapshots_;
  int64_t averaged_ = 0;       // weights that the model has the mean of, while it has
  TrainingStep::Result done_;  // of the last step
  double rate_ = 0;
  Moment rate_begin_;
  double waited_ = 0;  // for data, at the last log entry
  int64_t rate_tokens_ = 0;
  Evaluation validation_;
};

}  // namespace

TrainingResult train(Model& model, Objective& objective, const TrainerOptions& options, RunDirectory& directory) {
  freeze(model, options.step);
  return TrainingRun(model, objective, options, directory).finish();
}

}  // namespace roformer
