#include "inference/session.h"

#include "base/error.h"
#include "formats/directory_weights.h"
#include "text/token_rows.h"

namespace roformer {

namespace {

int checked_threads(int64_t threads) {
  constexpr int64_t kMaxThreads = 1024;
  if (threads < 0 || threads > kMaxThreads) {
    throw UsageError("{} is {}, expected 0 (one per usable CPU) to {}", FieldName("threads"), threads, kMaxThreads);
  }
  return static_cast<int>(threads);
}

}  // namespace

Engine::Engine(const EngineOptions& options)
    : pool(checked_threads(options.divided_for > 0 ? options.divided_for : options.threads),
           options.divided_for > 0 ? ThreadPool(checked_threads(options.threads)).threads() : 0),
      backend(make_backend(options.device, pool, parse_precision(options.dtype))) {}

Session::Session(const std::string& directory, const SessionOptions& options)
    : directory_(model_directory(directory)),
      engine_(options.engine),
      model_(load_model(directory, backend(), options.trainable, &notes_)) {
  if (!options.trainable) model_.prepare();
  if (!options.tokenizer) return;
  tokenizer_ = load_tokenizer(directory_, *options.tokenizer);
  const int64_t rows = model_.config().reader().vocabulary;
  if (tokenizer_->vocabulary_size() > rows) {
    notes_.warnings.push_back(beyond_rows_warning(directory, *tokenizer_, rows));
  }
}

const std::shared_ptr<const Tokenizer>& Session::shared_tokenizer() const {
  if (tokenizer_ == nullptr) throw ShapeError("{}: the session has no tokenizer", FilePath(directory_));
  return tokenizer_;
}

}  // namespace roformer
