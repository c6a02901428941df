// A part of a tokenizer.json: a normalizer, a pre-tokenizer, a decoder or a post-processor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace roformer {

class PipelinePart {
 public:
  // `what` is the kind of part, for messages: "normalizer".
  PipelinePart(JsonObject json, std::string what, std::string path);

  const JsonObject& json() const { return json_; }
  const std::string& type() const { return type_; }
  // DataError: this type is not supported; `expected` lists those that are.
  [[noreturn]] void refuse(std::string_view expected) const;
  // DataError about one of its keys that has a value which is understood, but not supported.
  [[noreturn]] void refuse_value(const std::string& key, std::string_view expected) const;
  // A text of one code point. DataError for another.
  std::string get_character(const std::string& key, const std::string& fallback) const;

 private:
  JsonObject json_;
  std::string what_, path_, type_;
};

// The parts that `file` has under `key`, the entries of a "Sequence" (its `list`) one by one, also of nested ones; none
// if absent or null.
std::vector<PipelinePart> read_pipeline_parts(const JsonObject& file, const std::string& key, const std::string& list,
                                              const std::string& what);

}  // namespace roformer
