// Access to an error's detail, so that tests need not match message texts.
#pragma once

#include <gtest/gtest.h>

#include "roformer/error.h"

namespace roformer {

// The detail of the error of type E thrown by `action`; fails the test and returns empty values if there is none.
template <class E = Error, class Action>
ErrorDetail detail_of(const Action& action) {
  try {
    action();
  } catch (const E& error) {
    return error.detail();
  }
  ADD_FAILURE() << "no such error";
  return {};
}

}  // namespace roformer
