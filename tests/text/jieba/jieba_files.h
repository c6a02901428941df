// A small jieba dictionary, and a cache directory other than the user's.
#pragma once

#include <cstdlib>

#include "tests/text/tokenizer_files.h"

namespace roformer {

inline constexpr std::string_view kTinyDictionary =
    "今天 100 t\n天气 80 n\n今天天气 90 n\n非常 70 d\n好 60 a\n中国 50 ns\n中 20 f\n国 10 n\nc++ 5 nz\n气非 1 x\n";

// Sets an environment variable for the life of a test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    const char* old = std::getenv(name);
    if (old != nullptr) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

class WithJieba : public testing::Test {
 protected:
  WithJieba() { write_text(directory_ / "dict.txt", kTinyDictionary); }

  TempDirectory directory_, cache_directory_;
  Environment cache_{"XDG_CACHE_HOME", cache_directory_.path()};
  Environment dictionary_{"ROFORMER_JIEBA_DICTIONARY", directory_ / "dict.txt"};
};

}  // namespace roformer
