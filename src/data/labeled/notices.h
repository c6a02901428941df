// What a reader dropped or repaired, counted by what it was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace roformer {

class Notices {
 public:
  // `verb` and `noun` make "dropped 12 rows"; `rest` says which: "without a label". `line` from 1.
  void count(std::string verb, std::string noun, std::string rest, int64_t line);
  void say(std::string notice);
  void number_by(const char* unit) { unit_ = unit; }  // what `line` counts, in place of lines: "question"
  // One line each: "PATH: dropped 12 rows without a label, the first at line 40".
  std::vector<std::string> lines(const std::string& path) const;

 private:
  struct Entry {
    std::string verb = {}, noun = {}, rest = {};
    int64_t number = 0, line = 0;  // number 0: `verb` is the whole notice
  };
  std::vector<Entry> entries_;
  const char* unit_ = "line";
};

}  // namespace roformer
