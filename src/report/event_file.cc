#include "report/event_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/protobuf.h"

namespace roformer {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

constexpr std::string_view kPrefix = "events.out.tfevents.";

// CRC-32C (Castagnoli), bits reversed.
constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0);
    table[i] = value;
  }
  return table;
}

// Rotated and shifted, as TFRecord stores it, so that a checksum of data that contains checksums is no weaker.
uint32_t masked_crc(std::string_view bytes) {
  static constexpr auto kTable = make_crc_table();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  return std::rotr(~crc, 15) + 0xA282EAD8u;
}

template <class T>
std::string raw_bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string integer_field(uint32_t field, int64_t value) {
  ProtoWriter writer;
  writer.varint(field, static_cast<uint64_t>(value));
  return writer.message();
}
std::string double_field(uint32_t field, double value) {
  ProtoWriter writer;
  writer.float64(field, value);
  return writer.message();
}
std::string float_field(uint32_t field, float value) {
  ProtoWriter writer;
  writer.float32(field, value);
  return writer.message();
}
std::string bytes_field(uint32_t field, std::string_view value) {
  ProtoWriter writer;
  writer.bytes(field, value);
  return writer.message();
}

// Field numbers of the messages used.
namespace event {
constexpr uint32_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session_log {
constexpr uint32_t kStatus = 1, kStart = 1;
}
namespace summary {
constexpr uint32_t kValue = 1;
}
namespace value {
constexpr uint32_t kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9;
}
namespace metadata {
constexpr uint32_t kPluginData = 1, kPluginName = 1, kDataClass = 4, kTensorClass = 2;
}
namespace tensor {
constexpr uint32_t kType = 1, kShape = 2, kContent = 4, kStrings = 8, kDouble = 2, kString = 7;
constexpr uint32_t kDimension = 2, kSize = 1;
}  // namespace tensor

std::string dimension(int64_t size) { return bytes_field(tensor::kDimension, integer_field(tensor::kSize, size)); }

// A Summary of one tensor that the plug-in named shows.
std::string tensor_summary(std::string_view tag, std::string_view plugin, std::string_view tensor_message) {
  const std::string meta = bytes_field(metadata::kPluginData, bytes_field(metadata::kPluginName, plugin)) +
                           integer_field(metadata::kDataClass, metadata::kTensorClass);
  return bytes_field(summary::kValue, bytes_field(value::kTag, tag) + bytes_field(value::kTensor, tensor_message) +
                                          bytes_field(value::kMetadata, meta));
}

// Readers take the files of a directory by name, so the second in the name must rise from file to file, whatever the
// clock does.
int64_t next_second(const std::string& directory) {
  using namespace std::chrono;
  int64_t second = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  constexpr int64_t kLargest = 9'999'999'998;  // more digits would sort before fewer
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    int64_t taken = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), taken);
    second = std::max(second, std::min(taken, kLargest) + 1);
  }
  return second;
}

}  // namespace

template <class Real>
Histogram make_histogram(std::span<const Real> values, int buckets) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  int64_t finite = 0;
  for (const Real number : values) {
    if (!std::isfinite(number)) continue;
    low = std::min<double>(low, number);
    high = std::max<double>(high, number);
    ++finite;
  }
  if (finite == 0) return {};
  const double width = high / buckets - low / buckets;
  // Also where the values differ by less than intervals could.
  if (!(low + width > low && high - width < high)) return {{{low - 0.5, high + 0.5, static_cast<double>(finite)}}};
  Histogram result;
  for (int i = 0; i < buckets; ++i) result.buckets.push_back({low + i * width, low + (i + 1) * width, 0});
  result.buckets.back().right = high;
  for (const Real number : values) {
    if (!std::isfinite(number)) continue;
    const double place = number / width - low / width;
    result.buckets[static_cast<size_t>(std::clamp(static_cast<int>(place), 0, buckets - 1))].count += 1;
  }
  return result;
}

template Histogram make_histogram<float>(std::span<const float>, int);
template Histogram make_histogram<double>(std::span<const double>, int);

EventFile::EventFile(const std::string& directory, int64_t first_step) {
  make_directories(directory);
  const std::string name = fmt::format("{}{:010}.roformer", kPrefix, next_second(directory));
  file_ = std::make_unique<FileWriter>(join_path(directory, name), FileWriter::Mode::create_new);
  write_event(0, event::kFileVersion, "brain.Event:2");
  write_event(first_step, event::kSessionLog, integer_field(session_log::kStatus, session_log::kStart));
}

void EventFile::scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  std::string message;
  for (const auto& [tag, number] : values) {
    message += bytes_field(
        summary::kValue, bytes_field(value::kTag, tag) + float_field(value::kSimpleValue, static_cast<float>(number)));
  }
  write_event(step, event::kSummary, message);
}

void EventFile::text(int64_t step, std::string_view tag, std::string_view markdown) {
  const std::string message = integer_field(tensor::kType, tensor::kString) +
                              bytes_field(tensor::kShape, dimension(1)) + bytes_field(tensor::kStrings, markdown);
  write_event(step, event::kSummary, tensor_summary(tag, "text", message));
}

void EventFile::histogram(int64_t step, std::string_view tag, const Histogram& histogram) {
  std::string numbers;  // [buckets, 3]: left end, right end, count
  for (const auto& [left, right, count] : histogram.buckets) {
    numbers += raw_bytes(left) + raw_bytes(right) + raw_bytes(count);
  }
  const std::string shape = dimension(static_cast<int64_t>(histogram.buckets.size())) + dimension(3);
  const std::string message = integer_field(tensor::kType, tensor::kDouble) + bytes_field(tensor::kShape, shape) +
                              bytes_field(tensor::kContent, numbers);
  write_event(step, event::kSummary, tensor_summary(tag, "histograms", message));
}

void EventFile::write_event(int64_t step, uint32_t field, std::string_view message) {
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string payload =
      double_field(event::kWallTime, now) + integer_field(event::kStep, step) + bytes_field(field, message);
  const std::string length = raw_bytes<uint64_t>(payload.size());
  file_->write(length + raw_bytes(masked_crc(length)) + payload + raw_bytes(masked_crc(payload)));
  file_->flush();
}

}  // namespace roformer
