// Text files to documents: what pre-training reads. Plain UTF-8 text, one pass, a document at a time in memory.
// It is not a dataset library: no random access into files, no cache on disk, no labels (tasks read their own tables).
// Memory-mapping the files was rejected: text must be checked and cut anyway, and a stream also works for pipes.
// Line ends inside a document become "\n".
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace roformer {

enum class DocumentRule {
  automatic,   // `<doc ...>` ... `</doc>` blocks are documents; outside of them as blank_line
  blank_line,  // a line with nothing but whitespace ends a document
  lines,       // every line is a document
  doc_tags,    // only the tag lines end a document; text outside the tags makes documents too
};

// "automatic", "blank-line", "lines", "doc-tags"; UsageError naming these for anything else.
DocumentRule parse_document_rule(std::string_view name);

struct CorpusSummary {
  int64_t documents = 0;
  int64_t bytes = 0;         // of the files
  std::string content_hash;  // XXH3-128 over the files' content and sizes in order, 32 hex digits
};

// Calls sink(document) for each document in order. The end of a file ends a document; tag lines are not content (except
// under `lines` and `blank_line`); documents of nothing but whitespace are left out.
// FileError when a file cannot be read; DataError, with file and line, when it is not UTF-8 or holds a NUL byte.
CorpusSummary read_documents(std::span<const std::string> paths, DocumentRule rule,
                             const std::function<void(std::string&&)>& sink);

}  // namespace roformer
