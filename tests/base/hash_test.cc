#include "base/hash.h"

#include <gtest/gtest.h>

#include <string>

namespace roformer {
namespace {

TEST(Hash, MatchesTheReferenceProgram) {
  // printf '' | xxhsum -H128, printf abc | xxhsum -H128 (xxHash 0.8.1)
  EXPECT_EQ(hash_hex(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_hex("abc"), "06b05ab6733a618578af5f94892f3950");
}

TEST(Hash, PiecesGiveTheSameAsTheWhole) {
  const std::string text(10'000, 'q');
  for (int64_t piece : {1, 7, 256, 4096}) {
    Hasher hasher;
    for (int64_t i = 0; i < 10'000; i += piece) hasher.update(text.data() + i, std::min<int64_t>(piece, 10'000 - i));
    EXPECT_EQ(hasher.hex(), hash_hex(text)) << piece;
  }
}

}  // namespace
}  // namespace roformer
