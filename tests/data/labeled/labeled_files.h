// Small labeled files for tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "data/labeled/labeled_file.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {

class LabeledFiles : public testing::Test {
 protected:
  LabeledData read(std::string_view task, const std::string& name, std::string_view text,
                   const ReadOptions& options = {}) {
    write_text(directory_ / name, text);
    LabeledData data = read_examples(find_task(task), directory_ / name, options);
    for (std::string& notice : data.notices) {
      EXPECT_TRUE(notice.starts_with(directory_ / name)) << notice;
      notice.erase(0, directory_.path().size() + 1);
    }
    return data;
  }
  // The message of the error, its path without the directory; empty if there is none.
  template <class E = DataError>
  std::string refuse(std::string_view task, const std::string& name, std::string_view text,
                     const ReadOptions& options = {}) {
    std::string message = message_of<E>([&] { read(task, name, text, options); });
    const size_t at = message.find(directory_.path() + "/");
    if (at != std::string::npos) message.erase(at, directory_.path().size() + 1);
    return message;
  }

  TempDirectory directory_;
};

using Texts = std::vector<std::vector<std::string>>;

inline Texts texts_of(const LabeledData& data) {
  Texts texts;
  for (const Example& example : data.examples) texts.push_back(example.texts);
  return texts;
}
inline Texts labels_of(const LabeledData& data) {
  Texts labels;
  for (const Example& example : data.examples) labels.push_back(example.labels);
  return labels;
}
template <class T>
std::vector<T> each(const LabeledData& data, T Example::*member) {
  std::vector<T> values;
  for (const Example& example : data.examples) values.push_back(example.*member);
  return values;
}

}  // namespace roformer
