// The rotation family.
#pragma once

#include <string>
#include <vector>

#include "tests/backend/cases.h"

namespace roformer::test {

struct RotationPlan {
  Rotary rotary;
  int64_t rows, heads, head_dim;
};

inline void rotation_operation(Trial& trial, const RotationPlan& plan) {
  Backend& backend = trial.backend();
  std::vector<int32_t> positions = trial.random_ids(plan.rows, 60);
  if (plan.rows > 1) positions[1] = 1 << 29;
  const RotaryAngles angles = backend.rotary_angles(plan.rotary, positions);
  const int64_t width = plan.heads * plan.head_dim;
  const Tensor x = trial.random(plan.rows, width), dout = trial.random(plan.rows, width);
  const Tensor rotated = trial.output("rotated", plan.rows, width), back = trial.output("back", plan.rows, width);
  trial.run({.forward = [&] { backend.rotate(rotated, plan.heads, angles, false); },
             .backward =
                 [&] {
                   backend.copy(dout, back);
                   backend.rotate(back, plan.heads, angles, true);
                 },
             .gradients = {{"x", x, back}},
             .out = rotated,
             .dout = dout,
             .setup = [&] { backend.copy(x, rotated); },
             .bytes = 2 * x.bytes()});
}

inline Family rotation_family() {
  Family family{"rotate", Rounds::elements};
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    for (const int64_t head_dim : {2, 6, 8, 16, 24, 64, 80}) {
      for (const int64_t dim : {int64_t{2}, head_dim / 4 * 2, head_dim}) {
        if (dim < 2) continue;
        family.cases.push_back({std::string(rotary_layout_name(layout)) + ", head size " + std::to_string(head_dim) +
                                    ", dimension " + std::to_string(dim),
                                [=](Trial& trial) {
                                  for (const int64_t rows : {0, 1, 2, 33}) {
                                    for (const int64_t heads : {1, 3, 5}) {
                                      rotation_operation(trial, {{dim, layout, 1000}, rows, heads, head_dim});
                                    }
                                  }
                                }});
      }
    }
    family.benchmarks.push_back({"8192 x 12 x 64, " + std::string(rotary_layout_name(layout)),
                                 [=](Trial& trial) {
                                   rotation_operation(trial, {{64, layout, 10000}, 8192, 12, 64});
                                 },
                                 false});
  }
  add_random_cases(family, 10, [](RandomSizes& sizes) {
    const int64_t head_dim = 2 * sizes.between(1, 64);
    const Rotary rotary{.dim = 2 * sizes.between(1, head_dim / 2),
                        .layout = sizes.one_of({RotaryLayout::adjacent, RotaryLayout::half}),
                        .base = 500};
    const RotationPlan plan{rotary, sizes.between(1, 200), sizes.between(1, 8), head_dim};
    return Case{std::to_string(plan.rows) + " x " + std::to_string(plan.heads) + " x " + std::to_string(plan.head_dim) +
                    ", dimension " + std::to_string(plan.rotary.dim),
                [=](Trial& trial) { rotation_operation(trial, plan); }};
  });
  return family;
}

}  // namespace roformer::test
