// Event files read back by a small decoder of their own: framing, checksums and the protobuf messages.
#include "report/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::ElementsAre;

// CRC-32C bit by bit, from its definition.
uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

template <class T>
T read(std::string_view& bytes) {
  T value{};
  if (bytes.size() < sizeof value) throw std::runtime_error("cut off");
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

uint32_t unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xA282EAD8;
  return rotated >> 17 | rotated << 15;
}

std::vector<std::string> records(const std::string& path) {
  const std::string file = read_file(path, 1 << 20);
  std::string_view rest = file;
  std::vector<std::string> payloads;
  while (!rest.empty()) {
    const std::string_view header = rest.substr(0, 8);
    const auto length = read<uint64_t>(rest);
    EXPECT_EQ(unmask(read<uint32_t>(rest)), crc32c(header));
    payloads.emplace_back(rest.substr(0, length));
    rest.remove_prefix(length);
    EXPECT_EQ(unmask(read<uint32_t>(rest)), crc32c(payloads.back()));
  }
  return payloads;
}

// The fields of a protobuf message by number: bytes for wire type 2, raw little-endian bytes otherwise.
using Message = std::multimap<int, std::string>;

uint64_t read_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = read<unsigned char>(bytes);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

Message decode(std::string_view bytes) {
  Message message;
  while (!bytes.empty()) {
    const uint64_t key = read_varint(bytes);
    std::string value;
    if (key % 8 == 0) {
      const uint64_t number = read_varint(bytes);
      value.assign(reinterpret_cast<const char*>(&number), 8);
    } else {
      const size_t size = key % 8 == 1 ? 8 : key % 8 == 5 ? 4 : read_varint(bytes);
      EXPECT_LE(size, bytes.size());
      value = bytes.substr(0, size);
      bytes.remove_prefix(size);
    }
    message.emplace(static_cast<int>(key / 8), value);
  }
  return message;
}

std::string bytes_of(const Message& message, int field) {
  EXPECT_EQ(message.count(field), 1u) << field;
  return message.count(field) == 1 ? message.find(field)->second : "";
}
template <class T>
T number_of(const Message& message, int field) {
  const std::string bytes = bytes_of(message, field);
  std::string_view view = bytes;
  return read<T>(view);
}
Message inside(const Message& message, int field) { return decode(bytes_of(message, field)); }

class EventFileTest : public testing::Test {
 protected:
  std::vector<Message> events(const EventFile& file) const {
    std::vector<Message> messages;
    for (const std::string& payload : records(file.path())) messages.push_back(decode(payload));
    return messages;
  }
  TempDirectory temporary_;
  const std::string directory_ = temporary_ / "logs/tensorboard";
};

TEST_F(EventFileTest, TheDecoderKnowsTheCheckValue) { EXPECT_EQ(crc32c("123456789"), 0xE3069283); }

TEST_F(EventFileTest, StartsWithVersionAndTheStepToDiscardFrom) {
  const EventFile file(directory_, 301);
  const auto all = events(file);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(bytes_of(all[0], 3), "brain.Event:2");
  EXPECT_GT(number_of<double>(all[0], 1), 1.5e9);  // seconds since 1970
  EXPECT_EQ(number_of<int64_t>(all[1], 2), 301);
  EXPECT_EQ(number_of<int64_t>(inside(all[1], 7), 1), 1);  // SessionLog: START
}

TEST_F(EventFileTest, Scalars) {
  EventFile file(directory_, 0);
  file.scalars(1000000007, {{"train/loss", 1.5}, {"train/tokens", -3e9}});
  const Message event = events(file).at(2);
  EXPECT_EQ(number_of<int64_t>(event, 2), 1000000007);
  const Message summary = inside(event, 5);
  ASSERT_EQ(summary.count(1), 2u);
  std::map<std::string, float> values;
  for (const auto& [field, bytes] : summary) values[bytes_of(decode(bytes), 1)] = number_of<float>(decode(bytes), 2);
  EXPECT_EQ(values, (std::map<std::string, float>{{"train/loss", 1.5f}, {"train/tokens", -3e9f}}));
}

TEST_F(EventFileTest, Text) {
  EventFile file(directory_, 0);
  const std::string long_text = "| a | b |\n" + std::string(300, 'x');
  file.text(7, "settings", long_text);
  const Message value = inside(inside(events(file).at(2), 5), 1);
  EXPECT_EQ(bytes_of(value, 1), "settings");
  EXPECT_EQ(bytes_of(inside(inside(value, 9), 1), 1), "text");  // the plug-in that shows it
  const Message tensor = inside(value, 8);
  EXPECT_EQ(number_of<int64_t>(tensor, 1), 7);  // DT_STRING
  EXPECT_EQ(bytes_of(tensor, 8), long_text);
}

TEST_F(EventFileTest, Histograms) {
  EventFile file(directory_, 0);
  file.histogram(7, "gradients/w", {{{-1, 0, 3}, {0, 1, 5}}});
  const Message value = inside(inside(events(file).at(2), 5), 1);
  EXPECT_EQ(bytes_of(inside(inside(value, 9), 1), 1), "histograms");
  const Message tensor = inside(value, 8);
  EXPECT_EQ(number_of<int64_t>(tensor, 1), 2);  // DT_DOUBLE
  std::vector<int64_t> shape;
  for (const auto& [field, bytes] : inside(tensor, 2)) shape.push_back(number_of<int64_t>(decode(bytes), 1));
  EXPECT_THAT(shape, ElementsAre(2, 3));
  std::vector<double> numbers(6);
  const std::string content = bytes_of(tensor, 4);
  ASSERT_EQ(content.size(), 6 * sizeof(double));
  std::memcpy(numbers.data(), content.data(), content.size());
  EXPECT_THAT(numbers, ElementsAre(-1, 0, 3, 0, 1, 5));
}

TEST_F(EventFileTest, EveryEventIsThereAtOnceAndFilesSortByTime) {
  make_directories(directory_);
  const std::string future = directory_ + "/events.out.tfevents.4000000000.other";
  write_file_atomically(future, "x");
  write_file_atomically(directory_ + "/events.out.tfevents.junk", "x");
  std::string previous = future;
  for (int i = 0; i < 3; ++i) {
    EventFile file(directory_, 0);
    file.scalars(1, {{"a", 1}});
    EXPECT_EQ(events(file).size(), 3u);  // while it is open
    EXPECT_GT(file.path(), previous);
    previous = file.path();
  }
  EXPECT_EQ(read_file(future, 10), "x");
}

TEST_F(EventFileTest, WhatCannotBeWrittenIsAFileError) {
  write_file_atomically(temporary_ / "file", "x");
  EXPECT_THROW(EventFile(temporary_ / "file", 0), FileError);
}

TEST(HistogramTest, CountsEveryFiniteValueOnce) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = {0, 0.5, 1, 2.5, 3.5, 4, kNan, std::numeric_limits<double>::infinity()};
  const Histogram histogram = make_histogram(std::span(values), 4);
  ASSERT_EQ(histogram.buckets.size(), 4u);
  std::vector<double> counts;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(histogram.buckets[i].left, static_cast<double>(i));
    EXPECT_EQ(histogram.buckets[i].right, static_cast<double>(i + 1));
    counts.push_back(histogram.buckets[i].count);
  }
  EXPECT_THAT(counts, ElementsAre(2, 1, 1, 2));
}

TEST(HistogramTest, WideAndNarrowRanges) {
  const std::vector<double> wide = {-1e308, 1e308, 0};
  EXPECT_EQ(make_histogram(std::span(wide), 2).buckets[1].count, 2);
  const std::vector<float> same(5, -2.0f);
  const Histogram one = make_histogram(std::span(same));
  ASSERT_EQ(one.buckets.size(), 1u);
  EXPECT_EQ(one.buckets[0].left, -2.5);
  EXPECT_EQ(one.buckets[0].count, 5);
  const std::vector<double> adjoining = {1, std::nextafter(1.0, 2.0)};
  EXPECT_EQ(make_histogram(std::span(adjoining)).buckets[0].count, 2);
  EXPECT_TRUE(make_histogram(std::span<const float>()).buckets.empty());
}

}  // namespace
}  // namespace roformer
