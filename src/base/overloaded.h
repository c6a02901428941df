// Functions as one overloaded function, for std::visit.
#pragma once

namespace roformer {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang before 17 deduces no aggregates

}  // namespace roformer
