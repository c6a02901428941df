// Tokens and tags in columns, a token a line and a blank line after each sentence, as of the CoNLL shared tasks.
#pragma once

#include <string>
#include <string_view>

#include "data/labeled/example_maker.h"
#include "data/labeled/labeled_file.h"

namespace roformer {

// Columns are separated by tabs where a line has any, else by spaces; the token is the first. Lines that begin with
// -DOCSTART- are skipped. Tags are kept as they are (BIO, BIOES, IOB1 or others); a file of one column has none.
// DataError if the tag's column is beyond a file's columns; sentences with shorter lines are dropped and counted.
void read_tagged_lines(const std::string& path, std::string_view text, const ReadOptions& options, ExampleMaker& maker);

}  // namespace roformer
