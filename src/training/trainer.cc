#include "training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "training/run_report.h"

namespace roformer {

namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Histogram histogram_of(const Tensor& x) {
  if (!x.contiguous()) throw ShapeError("histogram of {} with a row stride", x.shape().to_string());
  const auto count = static_cast<size_t>(x.elements());
  if (x.dtype() == DType::float64) return make_histogram(std::span<const double>(x.data<double>(), count));
  return make_histogram(std::span<const float>(x.data<float>(), count));
}

class Run {
 public:
  Run(Model& model, Objective& objective, const TrainerOptions& options, RunDirectory& directory)
      : model_(model),
        objective_(objective),
        options_(options),
        directory_(directory),
        optimizer_(model, options.optimizer),
        step_(directory.resumed_step()),
        tokens_(directory.restore(model, optimizer_, objective)),
        progress_({.label = "train", .total = options.schedule.steps, .start = step_}, options.output) {
    saved_step_ = step_;
    for (const std::string& notice : directory.skipped()) progress_.print("skipped " + notice);
    if (step_ > 0) progress_.print(fmt::format("resuming {} after step {}", directory.path(), step_));
  }

  TrainingResult finish() {
    const int64_t last = options_.schedule.steps;
    rate_seconds_ = now_seconds();
    waited_ = objective_.waited();
    while (step_ < last) {
      prepare_step();
      const double loss = train_step();
      const bool final_step = step_ == last;
      if (final_step || step_ % options_.log_every == 0 || step_ == 1) log_training(loss);
      if (histograms_due()) log_histograms();
      if (final_step || step_ % options_.validate_every == 0) validate();
      if (final_step || step_ % options_.save_every == 0) save();
      progress_.update(step_, note(loss));
      if (options_.stop_token.stop_requested() && !final_step) stop();
    }
    write_report();
    progress_.finish();
    return {step_, tokens_, validation_};
  }

 private:
  // Data that cannot be read (any more) must not cost what has been trained.
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

  bool histograms_due() const {
    return options_.histograms_every > 0 &&
           (step_ == options_.schedule.steps || step_ % options_.histograms_every == 0);
  }

  // One update. Returns the loss, a mean over the step's labels.
  double train_step() {
    optimizer_.zero_gradients();
    const RandomStream random = substream(options_.random, static_cast<uint64_t>(step_));
    const double scale = objective_.labels() > 0 ? 1.0 / static_cast<double>(objective_.labels()) : 0;
    std::vector<Loss> losses;
    for (int64_t i = 0; i < objective_.micro_batches(); ++i) {
      Tape tape;
      const Context context{.backend = model_.backend(),
                            .tape = &tape,
                            .random = substream(random, static_cast<uint64_t>(i)),
                            .training = true,
                            .step = step_};
      losses.push_back(objective_.forward(context, i, scale));
      tape.backward();
    }
    double loss = 0;
    for (size_t i = 0; i < losses.size(); ++i) {
      const double part = losses[i].read().sum * scale;
      if (!std::isfinite(part)) fail(fmt::format("loss of micro-batch {}", i), part);
      loss += part;
    }
    gradient_norm_ = optimizer_.gradient_norm();
    if (!std::isfinite(gradient_norm_)) {
      fail(fmt::format("gradient norm after micro-batch {}", objective_.micro_batches() - 1), gradient_norm_);
    }
    learning_rate_ = options_.schedule.at(step_);
    optimizer_.step(step_, learning_rate_, gradient_norm_, histograms_due());
    tokens_ += objective_.tokens();
    rate_tokens_ += objective_.tokens();
    return loss;
  }

  [[noreturn]] void fail(const std::string& what, double value) const {
    const std::string kept = saved_step_ > 0
                                 ? fmt::format("the last good state is step {} in {}", saved_step_, directory_.path())
                                 : "nothing had been saved yet";
    throw DataError("step {}: the {} is {}; {}", step_, what, std::isnan(value) ? "not a number" : "infinite", kept);
  }

  void log_training(double loss) {
    const double seconds = now_seconds() - rate_seconds_;
    rate_ = seconds > 0 ? static_cast<double>(rate_tokens_) / seconds : 0;
    const double waited = objective_.waited();
    const double data_wait = seconds > 0 ? std::min(1.0, (waited - waited_) / seconds) : 0;
    waited_ = waited;
    rate_tokens_ = 0;
    rate_seconds_ = now_seconds();
    directory_.log({{"event", "train"},
                    {"step", step_},
                    {"loss", loss},
                    {"learning_rate", learning_rate_},
                    {"gradient_norm", gradient_norm_},
                    {"tokens", tokens_},
                    {"tokens_per_second", rate_},
                    {"data_wait", data_wait}});
  }

  // The gradients are still those of the step, the weights already updated.
  void log_histograms() {
    const double begin = now_seconds();
    for (const auto& [name, parameter, role] : model_.parameters()) {
      Backend& backend = model_.backend();
      directory_.log_histogram(step_, "gradients/" + name, histogram_of(backend.to_host(parameter.gradient)));
      directory_.log_histogram(step_, "weights/" + name, histogram_of(backend.to_host(parameter.value)));
    }
    rate_seconds_ += now_seconds() - begin;  // the rate counts training only
  }

  void validate() {
    const double begin = now_seconds();
    validation_ = objective_.validate({model_.backend(), nullptr, {}, false});
    if (!std::isfinite(validation_.loss)) fail("validation loss", validation_.loss);
    Json event = {
        {"event", "validation"}, {"step", step_}, {"loss", validation_.loss}, {"accuracy", validation_.accuracy}};
    std::string line = fmt::format("step {:>6}  validation loss {:.4f}  accuracy {:.1f} %", step_, validation_.loss,
                                   100 * validation_.accuracy);
    if (validation_.perplexity && std::isfinite(*validation_.perplexity)) {
      event["perplexity"] = *validation_.perplexity;
      line += fmt::format("  perplexity {:.4g}", *validation_.perplexity);
    }
    if (validation_.bits_per_character) {
      event["bits_per_character"] = *validation_.bits_per_character;
      line += fmt::format("  {:.4f} bits per character", *validation_.bits_per_character);
    }
    directory_.log(event);
    progress_.print(line);
    rate_seconds_ += now_seconds() - begin;  // the rate counts training only
  }

  // A state that cannot be trained on must not replace one that can.
  void check_weights() const {
    for (const NamedParameter& named : model_.parameters()) {
      const double norm = model_.backend().squared_norm({&named.parameter.value, 1});
      if (!std::isfinite(norm)) fail("squared norm of " + named.name, norm);
    }
  }

  void save() {
    if (saved_step_ == step_) return;
    check_weights();
    const double begin = now_seconds();
    directory_.save(step_, tokens_, model_, optimizer_, objective_, options_.keep);
    saved_step_ = step_;
    rate_seconds_ += now_seconds() - begin;
  }

  // The model is saved by now: what goes wrong here is said, and no more.
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
    throw Interrupted("interrupted; saved after step {}. The same command goes on from there", step_);
  }

  std::string note(double loss) const { return fmt::format("loss {:.3f}  {:.0f} tokens/s", loss, rate_); }

  Model& model_;
  Objective& objective_;
  const TrainerOptions& options_;
  RunDirectory& directory_;
  AdamW optimizer_;
  int64_t step_;
  int64_t tokens_;
  Progress progress_;
  int64_t saved_step_ = 0;
  double gradient_norm_ = 0, learning_rate_ = 0;
  double rate_ = 0, rate_seconds_ = 0;
  double waited_ = 0;  // for data, when the log was written last
  int64_t rate_tokens_ = 0;
  Evaluation validation_;
};

}  // namespace

TrainingResult train(Model& model, Objective& objective, const TrainerOptions& options, RunDirectory& directory) {
  return Run(model, objective, options, directory).finish();
}

}  // namespace roformer
