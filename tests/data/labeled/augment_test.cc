#include "data/labeled/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

using Triplets = std::vector<std::pair<std::vector<std::string>, int64_t>>;

Triplets augmented(const Example& example, const TripletAugmentation& kinds = {}) {
  Triplets triplets;
  for (const Example& triplet : augment_triplets(std::vector{example}, kinds)) {
    EXPECT_EQ(triplet.id, example.id);
    triplets.emplace_back(triplet.texts, triplet.choice);
  }
  return triplets;
}

TEST(Augment, TripletsImplyFiveOthers) {
  const Example triplet{.texts = {"a", "b", "c"}, .choice = 0, .id = "7"};
  EXPECT_EQ(augmented(triplet), (Triplets{{{"a", "b", "c"}, 0},
                                          {{"a", "c", "b"}, 1},
                                          {{"c", "c", "a"}, 0},
                                          {{"c", "a", "c"}, 1},
                                          {{"b", "a", "c"}, 0},
                                          {{"b", "c", "a"}, 1}}));
  EXPECT_EQ(augmented(triplet, {.exchanged = false, .antisymmetric = false}),
            (Triplets{{{"a", "b", "c"}, 0}, {{"c", "c", "a"}, 0}}));
  EXPECT_EQ(augmented(triplet, {.reflexive = false, .antisymmetric = false}),
            (Triplets{{{"a", "b", "c"}, 0}, {{"b", "a", "c"}, 0}}));
}

TEST(Augment, AMirrorImageImpliesTheSame) {
  const Example mirrored{.texts = {"a", "c", "b"}, .choice = 1};
  EXPECT_EQ(augmented(mirrored), (Triplets{{{"a", "c", "b"}, 1},
                                           {{"a", "b", "c"}, 0},
                                           {{"c", "c", "a"}, 0},
                                           {{"c", "a", "c"}, 1},
                                           {{"b", "a", "c"}, 0},
                                           {{"b", "c", "a"}, 1}}));
}

TEST(Augment, OtherExamplesAreRefused) {
  EXPECT_THROW(augmented({.texts = {"a", "b"}, .choice = 0}), ShapeError);
  EXPECT_THROW(augmented({.texts = {"a", "b", "c"}}), ShapeError);
}

}  // namespace
}  // namespace roformer
