// An opened model for the tests of the C interface.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "roformer/roformer.h"
#include "tests/library/model_directories.h"

namespace roformer {

class CInterface : public testing::Test {
 protected:
  CInterface() {
    EXPECT_EQ(roformer_model_open(path_.c_str(), nullptr, &model_, &error_), ROFORMER_OK) << error_.message;
  }
  ~CInterface() override { roformer_model_free(model_); }

  TempDirectory directory_;
  std::string path_ = make_model(directory_, 3);
  roformer_error error_{};
  roformer_model* model_ = nullptr;
};

}  // namespace roformer
