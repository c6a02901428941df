// The file of `embed --output`, which an interrupted run leaves so that the same command continues it.
#pragma once

#include <cstdint>
#include <string>

#include "base/hash.h"
#include "cli/malformed_texts.h"
#include "cli/text_run.h"
#include "inference/vector_file.h"

namespace roformer {

class EmbeddingFile {
 public:
  // Errors of VectorFile; UsageError where the run that it continues has treated malformed texts in another way.
  EmbeddingFile(const std::string& path, int64_t width, VectorFile::Settings settings, MalformedTexts& malformed);

  // The items that the run before has answered are to be skipped, and given to skipped().
  int64_t skip() const { return begun_.items; }
  void skipped(const TextItem& item) { add(item); }

  // Before the vectors of each batch. DataError if the skipped items are not those of the run before.
  void begin(const TextBatch& batch);
  void append(std::span<const float> vector) { file_.append(vector); }

  void finish();
  // After an error: keeps what there is and says so.
  void stop();

  int64_t count() const { return file_.count(); }
  int64_t continued() const { return continued_; }  // vectors that were there already

 private:
  void add(const TextItem& item);
  void check_input();

  std::string path_;
  VectorFile file_;
  const VectorProgress begun_;
  int64_t continued_;
  MalformedTexts& malformed_;
  Hasher input_;
  VectorProgress reached_;
  bool checked_ = false;
};

}  // namespace roformer
