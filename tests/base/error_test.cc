#include "base/error.h"

#include <gtest/gtest.h>

namespace roformer {
namespace {

std::string flag(const std::string& field) { return "--" + field; }

TEST(Error, HoldsWhatItsMessageNames) {
  const DataError error("{}:{}: '{}' of {} is {}", FilePath("a/b.json"), LineNumber(7), KeyName("shape"),
                        TensorName("w.weight", "\"w.weight\""), 5);
  EXPECT_STREQ(error.what(), "a/b.json:7: 'shape' of \"w.weight\" is 5");
  EXPECT_EQ(error.detail().path, "a/b.json");
  EXPECT_EQ(error.detail().line, 7);
  EXPECT_EQ(error.detail().key, "shape");
  EXPECT_EQ(error.detail().tensor, "w.weight");
  EXPECT_EQ(error.detail().field, "");
  EXPECT_EQ(error.message(flag), error.what());
  EXPECT_EQ(error.kind(), ErrorKind::data);
}

TEST(Error, SpellsFieldsAsOneLikes) {
  // The file has the same name as the second field.
  const UsageError error("{}: {} {} holds nothing of {}; {:>3}", FilePath("seeds"), FieldName("batch_tokens"), 3,
                         FieldName("seeds"), 1);
  EXPECT_STREQ(error.what(), "seeds: batch_tokens 3 holds nothing of seeds;   1");
  EXPECT_EQ(error.message(flag), "seeds: --batch_tokens 3 holds nothing of --seeds;   1");
  EXPECT_EQ(error.detail().field, "batch_tokens");
  EXPECT_EQ(error.exit_code(), 2);
}

TEST(Error, KeepsItsNamesBehindAPrefix) {
  try {
    throw DataError("{} cuts", FieldName("max_length")).prefixed("text 3: ");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "text 3: max_length cuts");
    EXPECT_EQ(error.message(flag), "text 3: --max_length cuts");
    EXPECT_EQ(error.detail().field, "max_length");
    EXPECT_EQ(error.kind(), ErrorKind::data);
    const Error copy = error;
    EXPECT_STREQ(copy.what(), error.what());
    EXPECT_EQ(copy.detail().field, "max_length");
  }
}

TEST(Error, WhatAFileHoldsIsNoField) {
  const DataError error("{}: {}", std::string("seeds\0\x1f", 7), FieldName("seeds"));
  EXPECT_EQ(error.message(flag), std::string("seeds\0\x1f: --seeds", 16));
}

}  // namespace
}  // namespace roformer
