// Records of published Chinese tasks whose objects are not plain columns, rewritten as such.
#pragma once

#include <string>

#include "base/json.h"
#include "data/labeled/example_maker.h"
#include "data/labeled/tasks.h"

namespace roformer {

// Rewrites `record` by the task's shape. False if it is of no use, which is counted. DataError if its structure is
// another one.
// chid: "#idiom#" in "content" becomes "____", so that a passage and an idiom are a pair, as in CLUE's baseline.
// cluewsc: marks the spans of "target" in "text": _first_ and [second]. A span that is elsewhere is moved.
// cluener: "text" and "label" become "tokens", one a code point, and "tags" (BIO). Of overlapping entities the longest
// counts, of those the first.
bool rewrite_record(FileShape shape, Json& record, const std::string& path, int64_t line, ExampleMaker& maker);

}  // namespace roformer
