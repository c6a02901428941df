#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::HasSubstr;

template <class T>
Tensor filled(Shape shape, T first) {
  Tensor tensor = Tensor::allocate(shape, dtype_of<T>::value);
  for (int64_t i = 0; i < tensor.elements(); ++i) tensor.data<T>()[i] = first + static_cast<T>(i);
  return tensor;
}

std::string bytes_of(const Tensor& tensor) {
  return std::string(static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes()));
}

// A file with this header (and its length prefix) and data.
std::string assembled(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}

std::string put(const TempDirectory& directory, const std::string& bytes) {
  const std::string path = directory / "f.safetensors";
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string safetensors_error(const std::string& bytes) {
  TempDirectory directory;
  const std::string path = put(directory, bytes);
  try {
    const SafetensorsFile file(path);
    for (const TensorInfo& info : file.tensors()) file.tensor(info.name);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Safetensors, WritesAndReadsEveryType) {
  TempDirectory directory;
  const std::vector<std::pair<std::string, Tensor>> tensors = {
      {"z", filled<float>({2, 3}, 0.5f)},       {"a", filled<int32_t>({3}, -1)},
      {"scalar", filled<float>({}, 7)},         {"d", filled<double>({1, 2, 2}, 0.1)},
      {"l", filled<int64_t>({2}, -9)},          {"empty", filled<float>({0, 4}, 0)},
      {"four", filled<float>({1, 2, 1, 2}, 3)}, {"\xc3\xa9 \"\n", filled<float>({1}, 4)}};
  write_safetensors(directory / "f", tensors, {{"format", "pt"}, {"a", "\"b\""}});
  const SafetensorsFile file(directory / "f");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"a", "\"b\""}}));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor read = file.tensor(name);
    EXPECT_EQ(read.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(read.shape(), tensor.shape()) << name;
    EXPECT_EQ(bytes_of(read), bytes_of(tensor)) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.raw()) % 4, 0u);
  }
  EXPECT_EQ(file.tensors().front().name, "l");
  EXPECT_EQ(file.info("z").dtype, "F32");
  EXPECT_THROW(file.info("nothing"), DataError);
}

TEST(Safetensors, ViewsOutliveTheFileObjectAndItsReplacement) {
  TempDirectory directory;
  write_safetensors(directory / "f", {{"a", filled<float>({1000}, 1)}});
  Tensor view;
  {
    const SafetensorsFile file(directory / "f");
    view = file.tensor("a");
    EXPECT_EQ(file.tensor("a").raw(), view.raw());  // no copy
  }
  write_safetensors(directory / "f", {{"a", filled<float>({1000}, 2)}});
  EXPECT_EQ(view.data<float>()[999], 1000.0f);
}

TEST(Safetensors, BytesDoNotDependOnTheOrderGiven) {
  TempDirectory directory;
  const Tensor a = filled<float>({2}, 1), b = filled<int64_t>({1}, 2), c = filled<int32_t>({1}, 3);
  write_safetensors(directory / "one", {{"a", a}, {"b", b}, {"c", c}});
  write_safetensors(directory / "two", {{"c", c}, {"b", b}, {"a", a}});
  const std::string bytes = read_file(directory / "one", 10'000);
  EXPECT_EQ(bytes, read_file(directory / "two", 10'000));
  std::string header =
      R"({"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
      R"("c":{"dtype":"I32","shape":[1],"data_offsets":[16,20]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(bytes, assembled(header, bytes_of(b) + bytes_of(a) + bytes_of(c)));
}

TEST(Safetensors, WritesStridedTensorsRowByRow) {
  TempDirectory directory;
  const Tensor wide = filled<float>({3, 10}, 0);
  write_safetensors(directory / "f", {{"a", wide.column_range(4, 2)}});
  const Tensor read = SafetensorsFile(directory / "f").tensor("a");
  EXPECT_EQ(read.shape(), (Shape{3, 2}));
  EXPECT_THAT(std::vector<float>(read.data<float>(), read.data<float>() + 6),
              testing::ElementsAre(4, 5, 14, 15, 24, 25));
}

TEST(Safetensors, RefusesToWriteNonsense) {
  TempDirectory directory;
  const Tensor a = filled<float>({1}, 1);
  EXPECT_THROW(write_safetensors(directory / "f", {{"a", a}, {"a", a}}), DataError);
  EXPECT_THROW(write_safetensors(directory / "f", {{"__metadata__", a}}), DataError);
  EXPECT_THROW(write_safetensors(directory / "f", {{"\xff", a}}), DataError);
  EXPECT_THROW(write_safetensors(directory / "f", {{"a", Tensor()}}), ShapeError);
  EXPECT_THROW(write_safetensors(directory / "no/f", {{"a", a}}), FileError);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Safetensors, WidensHalfAndBfloat) {
  TempDirectory directory;
  std::string header =
      R"({"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},"h":{"dtype":"F16","shape":[65536],"data_offsets":[6,131078]}})";
  std::string data;
  for (uint16_t bits : {uint16_t{0x3F80}, uint16_t{0xC049}, uint16_t{0x0001}}) {
    data.append(reinterpret_cast<const char*>(&bits), 2);
  }
  for (uint32_t i = 0; i < 65536; ++i) data.append(reinterpret_cast<const char*>(&i), 2);
  const SafetensorsFile file(put(directory, assembled(header, data)));
  const Tensor b = file.tensor("b"), h = file.tensor("h");
  EXPECT_EQ(b.data<float>()[0], 1.0f);
  EXPECT_EQ(b.data<float>()[1], -3.140625f);
  EXPECT_EQ(b.data<float>()[2], 0x1p-133f);
  // Every half by the definition of IEEE 754: (-1)^s 2^(e-15) 1.f, or 2^-14 0.f.
  for (uint32_t i = 0; i < 65536; ++i) {
    const int exponent = static_cast<int>(i >> 10) & 31, fraction = static_cast<int>(i & 1023);
    double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) expected = fraction == 0 ? INFINITY : NAN;
    const float found = h.data<float>()[i];
    ASSERT_TRUE(std::isnan(expected) ? std::isnan(found) : std::fabs(found) == expected) << i;
    ASSERT_EQ(std::signbit(found), i >> 15 == 1) << i;
  }
}

TEST(Safetensors, CopiesWhatTheFileDoesNotAlign) {
  TempDirectory directory;
  const double values[2] = {0.1, -2};
  const std::string raw(reinterpret_cast<const char*>(values), sizeof values);
  std::string header = R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})";
  for (int padding = 0; padding < 8; ++padding, header += ' ') {
    const Tensor tensor = SafetensorsFile(put(directory, assembled(header, raw))).tensor("d");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw()) % 8, 0u);
    EXPECT_EQ(tensor.data<double>()[1], -2) << padding;
  }
}

TEST(Safetensors, ListsWhatItCannotGive) {
  TempDirectory directory;
  const SafetensorsFile file(put(
      directory,
      assembled(
          R"({"u":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"f":{"dtype":"F4","shape":[4],"data_offsets":[2,4]},)"
          R"("deep":{"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[4,8]},)"
          R"("zero":{"dtype":"F32","shape":[0,9223372036854775807,4],"data_offsets":[0,0]}})",
          "12345678")));
  EXPECT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.info("deep").shape.size(), 5u);
  const auto refused = [&](const char* name, const char* reason) {
    EXPECT_THAT([&] { file.tensor(name); }, testing::ThrowsMessage<DataError>(HasSubstr(reason)));
    const ErrorDetail detail = detail_of<DataError>([&] { file.tensor(name); });
    EXPECT_EQ(detail.tensor, name);
    EXPECT_EQ(detail.path, file.path());
  };
  refused("u", "is U8, expected F32");
  refused("deep", "has 5 dimensions");
  refused("zero", "too large");
  refused("nobody", "has no tensor");
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  EXPECT_EQ(safetensors_error(assembled("{}", "")), "none");
  EXPECT_EQ(safetensors_error(assembled("{}      ", "")), "none");
  EXPECT_EQ(safetensors_error(assembled(R"({"__metadata__":{}})", "")), "none");
  // Entries out of data order, an empty tensor between two others, an unknown member.
  EXPECT_EQ(safetensors_error(assembled(R"({"b":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},)"
                                        R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"note":[1]},)"
                                        R"("e":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})",
                                        "12345678")),
            "none");
}

// One tensor of the given description and 8 bytes of data.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return assembled("{\"a\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}",
                   "12345678");
}

std::string two(const std::string& first, const std::string& second, const std::string& data) {
  const std::string head = R"("dtype":"F32","shape":[1],"data_offsets":)";
  return assembled("{\"a\":{" + head + first + "},\"b\":{" + head + second + "}}", data);
}

struct Hostile {
  std::string bytes;
  std::string reason;
};

TEST(Safetensors, RefusesHostileFilesWithTheReason) {
  const std::string good = one("\"F32\"", "[2]", "[0,8]");
  ASSERT_EQ(safetensors_error(good), "none");
  const auto with_length = [&](uint64_t length) {
    std::string bytes = good;
    std::memcpy(bytes.data(), &length, 8);
    return bytes;
  };
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  const Hostile files[] = {
      {"", "0 bytes, expected a header length"},
      {good.substr(0, 7), "7 bytes, expected a header length"},
      {with_length(0), "does not start with '{'"},
      {with_length(100'000'001), "expected at most 100000000"},
      {with_length(UINT64_MAX), "expected at most 100000000"},
      {with_length(UINT64_MAX - 7), "expected at most 100000000"},
      {with_length(good.size() - 7), "is truncated"},
      {with_length(good.size()), "is truncated"},
      {with_length(20), "line 1, column"},
      {good.substr(0, 30), "is truncated"},
      {good.substr(0, good.size() - 1), "is truncated: its tensors need 8 bytes, it has 7"},
      {good + "x", "malformed: its tensors need 8 bytes, it has 9"},
      {assembled("{}", "x"), "malformed: its tensors need 0 bytes, it has 1"},
      {assembled("[]", ""), "does not start with '{'"},
      {assembled(" {}", ""), "does not start with '{'"},
      {assembled("\xef\xbb\xbf{}", ""), "does not start with '{'"},
      {assembled("null", ""), "does not start with '{'"},
      {assembled("{", ""), "unexpected end of input"},
      {assembled("{} x", ""), "line 1, column 4"},
      {assembled(std::string("{}\0", 3), ""), "line 1, column 3"},
      {assembled("{\"\xff\":1}", ""), "UTF-8"},
      {assembled("{\"\\ud800\":1}", ""), "surrogate"},
      {assembled("{\"a\":" + std::string(100'000, '['), ""), "nested deeper"},
      {assembled(objects, ""), "nested deeper"},
      {assembled("{\"a\":3}", ""), "\"a\": its description is not an object"},
      {assembled("{\"a\":{}}", ""), "dtype is missing"},
      {assembled(R"({"__metadata__":3})", ""), "__metadata__ is not an object"},
      {assembled(R"({"__metadata__":{"a":3}})", ""), "__metadata__ \"a\" is not a string"},
      {assembled(R"({"__metadata__":{"a":"b","a":"c"}})", ""), "\"a\" appears twice"},
      {assembled(R"({"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}})", ""),
       "\"dtype\" appears twice"},
      {assembled(
           R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
           ""),
       "\"a\" appears twice"},
      {assembled(R"({"a":{"dtype":"F32","shape":[0]}})", ""), "data_offsets is missing"},
      {one("7", "[2]", "[0,8]"), "its dtype is not a string"},
      {one("\"F33\"", "[2]", "[0,8]"), "tensor \"a\": unknown dtype \"F33\""},
      {one("\"f32\"", "[2]", "[0,8]"), "unknown dtype"},
      {one("\"F32\"", "2", "[0,8]"), "shape is not a list"},
      {one("\"F32\"", "[-2]", "[0,8]"), "shape holds \"-2\""},
      {one("\"F32\"", "[-0]", "[0,8]"), "shape holds"},
      {one("\"F32\"", "[2.0]", "[0,8]"), "shape holds \"2.0\""},
      {one("\"F32\"", "[\"2\"]", "[0,8]"), "shape holds"},
      {one("\"F32\"", "[[2]]", "[0,8]"), "shape holds"},
      {one("\"F32\"", "[null]", "[0,8]"), "shape holds"},
      {one("\"F32\"", "[3]", "[0,8]"), "needs 12 bytes, its data_offsets span 8"},
      {one("\"F64\"", "[2]", "[0,8]"), "needs 16 bytes"},
      {one("\"F32\"", "[]", "[0,8]"), "needs 4 bytes"},
      {one("\"F32\"", "[4294967296,4294967296]", "[0,8]"), "shape is too large"},
      {one("\"F32\"", "[4611686018427387905,4]", "[0,8]"), "shape is too large"},
      {one("\"F32\"", "[4611686018427387906]", "[0,8]"), "shape is too large"},
      {one("\"F32\"", "[9223372036854775807,2,0]", "[0,0]"), "shape is too large"},
      {one("\"F32\"", "[18446744073709551615]", "[0,8]"), "shape holds"},
      {one("\"F32\"", "[1e99]", "[0,8]"), "shape holds"},
      {one("\"F4\"", "[3]", "[0,1]"), "end within a byte"},
      {one("\"F32\"", "[2]", "8"), "data_offsets is not a list"},
      {one("\"F32\"", "[2]", "[0]"), "data_offsets is not a pair"},
      {one("\"F32\"", "[2]", "[0,8,16]"), "data_offsets is not a pair"},
      {one("\"F32\"", "[2]", "[8,0]"), "before they begin"},
      {one("\"F32\"", "[2]", "[-8,0]"), "data_offsets holds \"-8\""},
      {one("\"F32\"", "[2]", "[0.0,8.0]"), "data_offsets holds"},
      {one("\"F32\"", "[2]", "[8,16]"), "begin at 8, expected 0 (no holes)"},
      {one("\"F32\"", "[4]", "[0,16]"), "is truncated: its tensors need 16 bytes, it has 8"},
      {one("\"F32\"", "[2305843009213693950]", "[0,9223372036854775800]"), "shape is too large"},
      {one("\"U8\"", "[1152921504606846975]", "[0,1152921504606846975]"), "is truncated"},
      {one("\"F32\"", "[2]", "[18446744073709551608,18446744073709551615]"), "data_offsets holds"},
      {two("[0,4]", "[8,12]", "123456789012"), "\"b\": its data begin at 8, expected 4 (no holes)"},
      {two("[0,4]", "[0,4]", "1234"), "begin at 0, expected 4 (no overlaps)"},
      {two("[0,4]", "[2,6]", "123456"), "begin at 2, expected 4 (no overlaps)"},
      {two("[4,8]", "[8,12]", "123456789012"), "\"a\": its data begin at 4, expected 0"},
  };
  for (const Hostile& file : files) {
    const std::string message = safetensors_error(file.bytes);
    EXPECT_THAT(message, HasSubstr(file.reason)) << file.bytes.substr(0, 200);
    EXPECT_THAT(message, HasSubstr("f.safetensors'")) << file.reason;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Safetensors, EveryTruncationAndEveryChangedByteIsRefusedOrRead) {
  TempDirectory directory;
  write_safetensors(directory / "good", {{"a", filled<float>({2, 2}, 1)}, {"b", filled<int64_t>({1}, 2)}},
                    {{"k", "v"}});
  const std::string good = read_file(directory / "good", 10'000);
  ASSERT_EQ(safetensors_error(good), "none");
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_NE(safetensors_error(good.substr(0, length)), "none") << length;
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char byte : {'\0', '9', '"', '[', '\xff'}) {
      std::string bad = good;
      bad[i] = byte;
      EXPECT_EQ(safetensors_error(bad).find('\n'), std::string::npos);  // the point is that it returns
    }
  }
}

TEST(Safetensors, RefusesDirectoriesAndAbsentFiles) {
  TempDirectory directory;
  EXPECT_THROW(SafetensorsFile{directory.path()}, FileError);
  EXPECT_THROW(SafetensorsFile{directory / "absent"}, FileError);
}

}  // namespace
}  // namespace roformer
