// What an error is about, for tests: they ask for its members, not for its English.
#pragma once

#include <gtest/gtest.h>

#include "roformer/error.h"

namespace roformer {

// Of the error of type E that `action` throws; the test fails, and all is empty, where it throws none.
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
