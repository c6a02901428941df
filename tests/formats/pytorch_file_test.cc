// Files written by torch.save (tools/make_pytorch_fixtures.py), and malformed ones.
#include "formats/pytorch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "formats/safetensors.h"
#include "tests/base/temp_directory.h"
#include "tests/formats/zip_file.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kFixtures = ROFORMER_SOURCE_DIR "/tests/fixtures/pytorch/";

void expect_same(const TensorFile& actual, const SafetensorsFile& expected, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Tensor a = actual.tensor(name), e = expected.tensor(name);
    EXPECT_EQ(a.shape(), e.shape()) << name;
    ASSERT_EQ(a.dtype(), e.dtype()) << name;
    ASSERT_TRUE(a.contiguous()) << name;
    EXPECT_TRUE(e.bytes() == 0 || std::memcmp(a.raw(), e.raw(), static_cast<size_t>(e.bytes())) == 0) << name;
  }
}

std::vector<std::string> names_of(const TensorFile& file) {
  std::vector<std::string> names;
  for (const TensorInfo& info : file.tensors()) names.push_back(info.name);
  return names;
}

const TensorInfo& info_of(const TensorFile& file, const std::string& name) {
  for (const TensorInfo& info : file.tensors()) {
    if (info.name == name) return info;
  }
  throw DataError("no {}", name);
}

TEST(PytorchFile, EveryContainerGivesTheSameTensors) {
  const SafetensorsFile expected(kFixtures + "expected.safetensors");
  for (const char* name : {"zip.bin", "zip_protocol_4.bin", "legacy.bin", "nested.bin", "nested_legacy.bin"}) {
    SCOPED_TRACE(name);
    const PytorchFile file(kFixtures + name);
    EXPECT_EQ(file.tensors().size(), expected.tensors().size());
    expect_same(file, expected, names_of(file));
    EXPECT_EQ(file.section(), std::string(name).starts_with("nested") ? "model.state_dict" : "");
  }
}

// The only dictionary with tensors is found under any name.
TEST(PytorchFile, ASectionOfAnyName) {
  std::string bytes = read_file(kFixtures + "nested_legacy.bin", 1 << 24);
  bytes[bytes.find("state_dict")] = 'x';
  const TempDirectory directory;
  write_file_atomically(directory / "any.bin", bytes);
  const PytorchFile file(directory / "any.bin");
  EXPECT_EQ(file.section(), "model.xtate_dict");
  const SafetensorsFile expected(kFixtures + "expected.safetensors");
  expect_same(file, expected, names_of(file));
}

TEST(PytorchFile, ShapesAndTypesAreThoseOfTheFile) {
  const PytorchFile file(kFixtures + "zip.bin");
  EXPECT_EQ(names_of(file)[0], "word");
  EXPECT_THAT(info_of(file, "transposed").shape, ElementsAre(3, 5));
  EXPECT_THAT(info_of(file, "scalar").shape, ElementsAre());
  EXPECT_EQ(info_of(file, "half").dtype, "F16");
  EXPECT_EQ(info_of(file, "bfloat").dtype, "BF16");
  EXPECT_EQ(info_of(file, "double").dtype, "F64");
  EXPECT_EQ(info_of(file, "small").dtype, "I32");
  EXPECT_THROW(file.tensor("no such"), DataError);
}

TEST(PytorchFile, ZipTensorsAreViewsAndTiedOnesShareMemory) {
  const PytorchFile file(kFixtures + "zip.bin");
  EXPECT_EQ(file.tensor("word").raw(), file.tensor("tied").raw());
  EXPECT_EQ(file.tensor("key").raw(), file.tensor("query").data<float>() + 6);
}

TEST(PytorchFile, TypesThatCannotBeComputedWithAreListed) {
  const PytorchFile file(kFixtures + "other_types.bin");
  EXPECT_EQ(info_of(file, "mask").dtype, "U8");
  EXPECT_EQ(info_of(file, "fp8").dtype, "F8_E5M2");
  EXPECT_EQ(file.tensor("a").data<float>()[0], 1.0f);
  EXPECT_THROW(file.tensor("mask"), DataError);
}

TEST(PytorchFile, ShardsBecomeOne) {
  const SafetensorsFile expected(kFixtures + "expected.safetensors");
  const DirectoryWeights weights = load_directory_weights(kFixtures + "sharded");
  EXPECT_EQ(weights.tensors.size(), expected.tensors().size());
  const WeightFiles files(kFixtures + "sharded");
  for (const WeightEntry& entry : files.tensors()) expect_same(*entry.file, expected, {entry.info.name});
}

// Pieces of pickles, protocol 2.
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }

// Storage "0", 4 float32 values.
const std::string kStorage = "(U\7storage" + global("torch", "FloatStorage") + "U\1" + "0U\3cpuK\4tQ";

// A tensor's rebuild call: kStorage, offset, sizes, strides.
std::string tensor_of(const std::string& offset, const std::string& sizes, const std::string& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + kStorage + offset + sizes + strides + "\x89}tR";
}

std::string dict_of(const std::string& value) {
  return "\x80\2}U\1"
         "a" +
         value + "s.";
}

class BadPytorchFile : public ::testing::Test {
 protected:
  std::string error_of(const std::string& content) const {
    write_file_atomically(directory_ / "x.bin", content);
    try {
      const PytorchFile file(directory_ / "x.bin");
      for (const TensorInfo& info : file.tensors()) file.tensor(info.name);
    } catch (const DataError& error) {
      EXPECT_EQ(error.detail().path, directory_ / "x.bin");
      return error.what();
    }
    return "none";
  }
  std::string error_of_pickle(const std::string& pickle) const {
    return error_of(zip_of({{"x/data.pkl", pickle}, {"x/data/0", std::string(16, '\0')}}));
  }
  TempDirectory directory_;
};

const std::string k0("K\0", 2), k4 = "K\4\x85", k1 = "K\1\x85", k22 = "K\2K\2\x86";

TEST_F(BadPytorchFile, TheToolsOfThisTestMakeGoodFiles) {
  EXPECT_EQ(error_of_pickle(dict_of(tensor_of(k0, k4, k1))), "none");
}

TEST_F(BadPytorchFile, NothingButTensorsMayBeAskedFor) {
  for (const auto& [module, name] : std::vector<std::pair<std::string, std::string>>{
           {"os", "system"}, {"builtins", "eval"}, {"torch", "load"}, {"collections", "defaultdict"}}) {
    const std::string reason = "asks Python for \"" + module + "." + name + "\"";
    EXPECT_THAT(error_of_pickle(dict_of(global(module, name) + "U\2id\x85R")), HasSubstr(reason));
    const std::string stacked = "U" + std::string(1, static_cast<char>(module.size())) + module + "U" +
                                std::string(1, static_cast<char>(name.size())) + name + "\x93";
    EXPECT_THAT(error_of_pickle(dict_of(stacked)), HasSubstr(reason));
  }
}

TEST_F(BadPytorchFile, PicklesThatAreWrongAreRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "is truncated"},
      {"\x80\2", "is truncated"},
      {"\x80\1.", "has protocol 1, expected 2 to 5"},
      {"\x80\2.", "pops from an empty stack"},
      {"\x80\2(0.", "pops from an empty stack"},
      {"\x80\2t.", "has no mark where it needs one"},
      {"\x80\2h\1.", "uses memo 1, which it never set"},
      {"\x80\2I5\n.", "holds opcode 0x49, which no file of tensors needs"},
      {"\x80\2X\xff\xff\xff\x7f.", "is truncated: expected 2147483647 bytes"},
      {"\x80\2T\xff\xff\xff\xff.", "negative length"},
      {"\x80\2\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "is truncated: expected 18446744073709551615 bytes"},
      {"\x80\2N\x85\x85R.", "pops from an empty stack"},
      {"\x80\2NN\x85R.", "makes a call without a function"},
      {"\x80\2NNa.", "appends to something other than a list"},
      {"\x80\2(NNNs.", "sets items of something other than a dictionary"},
      {"\x80\2}(Nu.", "a key without a value"},
      {"\x80\2N}b.", "sets attributes of an object without any"},
      {"\x80\2ctorch", "has an unterminated global name"},
      {"\x80\2NN\x93.", "names a global by something other than text"},
      {"\x80\2].", "does not hold a dictionary of tensors"},
      {"\x80\2}.", "holds no tensors by name"},
      {"\x80\2}U\1"
       "aK\1s.",
       "its keys are \"a\""},
      {"\x80\2}U\1"
       "aNQ.",
       "does not hold a dictionary"},
      {dict_of(tensor_of(k0, k4, k1)).substr(0, 60), "has an unterminated global name"}};
  for (const auto& [pickle, reason] : cases) EXPECT_THAT(error_of_pickle(pickle), HasSubstr(reason)) << pickle;
  EXPECT_THAT(error_of_pickle("\x80\2" + std::string(100'000, '(') + "."), HasSubstr("pops from an empty stack"));
  EXPECT_THAT(error_of_pickle("\x80\2" + std::string(5'000'000, 'N') + "."), HasSubstr("more than 4000000 objects"));
  EXPECT_THAT(error_of_pickle("\x80\2}" + std::string(25'000'000, '2') + "."), HasSubstr("more than 20000000 steps"));
  // A dictionary that contains itself as "state_dict".
  EXPECT_THAT(error_of_pickle("\x80\2}q\1U\nstate_dicth\1s."), HasSubstr("holds no tensors by name"));
  // One list, copied repeatedly.
  EXPECT_THAT(error_of_pickle(
                  "\x80\2" + global("collections", "OrderedDict") + "q\1]q\2(" +
                  [] {
                    std::string pairs;
                    for (int i = 0; i < 30'000; ++i) pairs += "NN\x86";
                    return pairs;
                  }() +
                  "e0h\2\x85q\3" +
                  [] {
                    std::string calls;
                    for (int i = 0; i < 1000; ++i) calls += "0h\1h\3R";
                    return calls;
                  }() +
                  "."),
              HasSubstr("copies more than 20000000 objects"));
}

TEST_F(BadPytorchFile, TensorsMustLieInTheirStorage) {
  const std::string huge = "\x8a\7\xff\xff\xff\xff\xff\xff\x7f", big = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {tensor_of("K\1", k4, k1), "reaches to element 4 of a storage of 4"},
      {tensor_of(big, k4, k1), "its shape is too large"},
      {tensor_of(k0, "K\5\x85", k1), "reaches to element 4"},
      {tensor_of(k0, k22, "K\3K\1\x86"), "reaches to element 4"},
      {tensor_of(k0, huge + "\x85", k1), "reaches to element"},
      {tensor_of(k0, huge + "\x85", k0 + "\x85"), "repeats elements"},
      {tensor_of(k0, huge + huge + "\x86", k0 + k0 + "\x86"), "its shape is too large"},
      {tensor_of(k0, "K\2\x85", big + "\x85"), "reaches to element"},
      {tensor_of(k0, "J\xff\xff\xff\xff\x85", k1), "its sizes are not non-negative integers"},
      {tensor_of("J\xff\xff\xff\xff", k4, k1), "its storage offset is not a non-negative integer"},
      {tensor_of(k0, k4, "J\xff\xff\xff\xff\x85"), "its strides are not non-negative integers"},
      {tensor_of(k0, k22, k1), "the numbers of its strides and sizes differ"},
      {tensor_of(k0, "N", k1), "its sizes are not a list"},
      {global("torch._utils", "_rebuild_tensor_v2") + "K\1\x85R", "fewer than 4 parts"},
      {global("torch._utils", "_rebuild_tensor_v2") + "(K\1" + k0 + k4 + k1 + "tR", "names no storage"},
      {tensor_of(k0, "(K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1t"), "has 5 dimensions, expected at most 4"}};
  for (const auto& [value, reason] : cases) EXPECT_THAT(error_of_pickle(dict_of(value)), HasSubstr(reason));
  EXPECT_THAT(error_of(zip_of({{"x/data.pkl", dict_of(tensor_of(k0, k4, k1))}, {"x/data/0", "short"}})),
              HasSubstr("its storage has 5 bytes, expected 16"));
  EXPECT_THAT(error_of(zip_of({{"x/data.pkl", dict_of(tensor_of(k0, k4, k1))}})),
              HasSubstr("its storage \"0\" is missing"));
  std::string many = "\x80\2}(";
  for (char name = 'a'; name < 'a' + 20; ++name) many += std::string("U\1") + name + tensor_of(k0, k4, k1);
  EXPECT_THAT(error_of_pickle(many + "u."), HasSubstr("its tensors have 320 bytes in total, its storages only 16"));
}

TEST_F(BadPytorchFile, ArchivesThatAreWrongAreRefused) {
  const std::string pickle = dict_of(tensor_of(k0, k4, k1)), data(16, '\0');
  const ZipEntries good = {{"x/data.pkl", pickle}, {"x/data/0", data}};
  const std::string whole = zip_of(good);
  EXPECT_EQ(error_of(whole), "none");
  EXPECT_THAT(error_of(zip_of(good, {.method = 8})), HasSubstr("entry \"x/data.pkl\" is compressed, expected stored"));
  EXPECT_THAT(error_of(zip_of(good, {.flags = 1})), HasSubstr("is encrypted"));
  EXPECT_THAT(error_of(zip_of({good[0], good[0]})), HasSubstr("two entries are named"));
  EXPECT_THAT(error_of(zip_of({good[0], {"x/dataXpkl", pickle}}, {.same_place = true})), HasSubstr("has two names"));
  EXPECT_THAT(error_of(zip_of({{"y/z/data.pkl", pickle}})), HasSubstr("without FOLDER/data.pkl"));
  EXPECT_THAT(error_of(zip_of({good[0], good[1], {"x/byteorder", "big"}})), HasSubstr("its byte order is \"big\""));
  EXPECT_THAT(error_of(zip_of({good[0], good[1], {"x/constants.pkl", ""}})), HasSubstr("TorchScript"));
  for (size_t size = 4; size < whole.size(); ++size) EXPECT_NE(error_of(whole.substr(0, size)), "none") << size;
  EXPECT_THAT(error_of("hello"), HasSubstr("neither a zip archive nor a pickle"));
  EXPECT_THAT(error_of(""), HasSubstr("neither a zip archive nor a pickle"));
}

// As written by torch.save beyond 4 GB: sizes and offsets in the zip64 fields.
TEST_F(BadPytorchFile, Zip64IsRead) {
  const std::string whole =
      zip_of({{"x/data.pkl", dict_of(tensor_of(k0, k4, k1))}, {"x/data/0", std::string(16, 'x')}}, {.zip64 = true});
  EXPECT_EQ(error_of(whole), "none");
  write_file_atomically(directory_ / "x.bin", whole);
  EXPECT_EQ(std::memcmp(PytorchFile(directory_ / "x.bin").tensor("a").raw(), "xxxxxxxxxxxxxxxx", 16), 0);
  for (size_t size = 4; size < whole.size(); ++size) EXPECT_NE(error_of(whole.substr(0, size)), "none") << size;
}

TEST_F(BadPytorchFile, LegacyFilesCutAnywhereAreRefused) {
  const std::string whole = read_file(kFixtures + "legacy.bin", 1 << 20);
  EXPECT_EQ(error_of(whole), "none");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(error_of(whole.substr(0, size)), "none") << size;
  EXPECT_THAT(error_of("\x80\2K\1."), HasSubstr("its magic number differs"));
}

}  // namespace
}  // namespace roformer
