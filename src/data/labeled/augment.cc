#include "data/labeled/augment.h"

#include <utility>

#include "base/error.h"

namespace roformer {
namespace {

Example mirror_image(Example triplet) {
  std::swap(triplet.texts[1], triplet.texts[2]);
  triplet.choice = 1 - triplet.choice;
  return triplet;
}

Example with_texts(Example triplet, std::string a, std::string b, std::string c) {
  triplet.texts = {std::move(a), std::move(b), std::move(c)};
  return triplet;
}

}  // namespace

std::vector<Example> augment_triplets(std::span<const Example> examples, const TripletAugmentation& kinds) {
  std::vector<Example> augmented;
  for (const Example& given : examples) {
    if (given.texts.size() != 3 || given.choice < 0 || given.choice > 1) {
      throw ShapeError("an example of {} texts with choice {}, expected a labeled triplet", given.texts.size(),
                       given.choice);
    }
    augmented.push_back(given);
    if (kinds.antisymmetric) augmented.push_back(mirror_image(given));
    const Example triplet = given.choice == 1 ? mirror_image(given) : given;
    const auto add = [&](const std::string& a, const std::string& b, const std::string& c) {
      augmented.push_back(with_texts(triplet, a, b, c));
      if (kinds.antisymmetric) augmented.push_back(mirror_image(augmented.back()));
    };
    if (kinds.reflexive) add(triplet.texts[2], triplet.texts[2], triplet.texts[0]);
    if (kinds.exchanged) add(triplet.texts[1], triplet.texts[0], triplet.texts[2]);
  }
  return augmented;
}

}  // namespace roformer
