#include "cli/embedding_file.h"

#include <iostream>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"

namespace roformer {

EmbeddingFile::EmbeddingFile(const std::string& path, int64_t width, VectorFile::Settings settings,
                             MalformedTexts& malformed)
    : path_(path),
      file_(path, width, std::move(settings)),
      begun_(file_.begun()),
      continued_(file_.count()),
      malformed_(malformed) {
  const std::string& how = on_error_names()[static_cast<size_t>(malformed.how())];
  if (begun_.malformed > 0 && begun_.on_error != how) {
    file_.stop();
    throw UsageError("{}: an unfinished run met {} with {} {}, now {}; use that, or another {}", path,
                     counted(begun_.malformed, "malformed text"), FieldName("on_error"), begun_.on_error, how,
                     FieldName("output"));
  }
  malformed.restore(begun_.malformed, begun_.first_malformed);
  reached_.on_error = how;
  if (skip() > 0) {
    std::cerr << fmt::format("roformer: continuing {} after {} and {}\n", path, counted(skip(), "text"),
                             counted(continued_, "vector"));
  }
}

void EmbeddingFile::add(const TextItem& item) {
  const std::string line = item.text + "\n";  // the text is empty where it is not UTF-8
  input_.update(line.data(), std::ssize(line));
  ++reached_.items;
}

void EmbeddingFile::check_input() {
  if (std::exchange(checked_, true) || begun_.items == 0) return;
  if (reached_.items == begun_.items && input_.hex() == begun_.input) return;
  throw DataError("{}: the first {} are not those of its unfinished run; remove '{}.progress' to begin anew",
                  FilePath(path_), counted(begun_.items, "text"), path_);
}

void EmbeddingFile::begin(const TextBatch& batch) {
  check_input();
  // Only now is it certain that the batch before was whole: one that an error cuts short is computed again, so that the
  // file does not depend on the interruption.
  if (reached_.items > begun_.items) {
    reached_.input = input_.hex();
    reached_.malformed = malformed_.count();
    reached_.first_malformed = malformed_.first();
    file_.mark(reached_);
  }
  for (const TextItem& item : batch.items) add(item);
}

void EmbeddingFile::finish() {
  check_input();
  file_.commit();
}

void EmbeddingFile::stop() {
  const int64_t vectors = file_.count();
  try {
    file_.stop();
  } catch (const Error&) {
    return;  // such as a full disk, which is the error already: what was marked is kept
  }
  if (vectors == 0) return;
  std::cerr << fmt::format("roformer: kept {} in {}; the same command continues behind them\n",
                           counted(vectors, "vector"), path_);
}

}  // namespace roformer
