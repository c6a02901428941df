// Event files, the log that TensorBoard shows: scalars, texts and histograms by step.
// A file is a row of records (TFRecord: length, payload, a masked CRC-32C of each), a payload one protobuf message
// `tensorflow.Event` (base/protobuf.h). Linking TensorFlow's message definitions for a dozen fields was rejected.
// Sources: tensorflow/core/lib/io/record_writer.h, core/util/event.proto, core/framework/summary.proto and
// tensorboard/plugins/{text,histogram}/metadata.py.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace roformer {

// Counts of the values in adjacent intervals; the last one includes its right end.
struct Histogram {
  struct Bucket {
    double left, right, count;
  };
  std::vector<Bucket> buckets;
};

// `buckets` intervals of one width from the least to the greatest finite value, one interval around it if all are
// equal, none if there is no finite value. Values that are not finite are left out. Real is float or double.
template <class Real>
Histogram make_histogram(std::span<const Real> values, int buckets = 30);

// One event file being written. Each call writes one record without buffering, so that a reader sees it while the
// program runs. FileError if it cannot be written.
class EventFile {
 public:
  // Creates `directory` if needed and in it a new file that readers take after the existing ones. They discard the
  // records of `first_step` and later steps in those: a resumed training logs these again.
  EventFile(const std::string& directory, int64_t first_step);

  // Tags are names like "train/loss"; TensorBoard groups by what is before the slash.
  void scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  void text(int64_t step, std::string_view tag, std::string_view markdown);
  void histogram(int64_t step, std::string_view tag, const Histogram& histogram);

  const std::string& path() const { return file_->path(); }

 private:
  void write_event(int64_t step, uint32_t field, std::string_view message);

  std::unique_ptr<FileWriter> file_;
};

}  // namespace roformer
