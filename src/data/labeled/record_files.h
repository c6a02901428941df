// Files of records with columns: delimited text, and JSON objects with their keys.
#pragma once

#include <string>
#include <string_view>

#include "data/labeled/example_maker.h"
#include "data/labeled/labeled_file.h"

namespace roformer {

// `text` is the whole file, valid UTF-8. Errors as of read_examples.
void read_table_file(const Task& task, const std::string& path, std::string_view text, FileFormat format,
                     const ReadOptions& options, ExampleMaker& maker);
void read_json_file(const Task& task, const std::string& path, std::string_view text, const ReadOptions& options,
                    ExampleMaker& maker);

}  // namespace roformer
