// Document boundaries in plain text: rules applied line by line to an explicit state, so that text can be scanned once
// and later read again from any boundary.
// data/ turns text files into token sequences for training, without a cache on disk. Holding all tokens in memory was
// rejected because texts can be larger than memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

enum class DocumentRule {
  automatic,   // `<doc ...>` ... `</doc>` blocks are documents; elsewhere as blank_line
  blank_line,  // a whitespace-only line ends a document
  lines,       // every line is a document
  doc_tags,    // only tag lines end a document; text outside the tags counts, too
};

const std::vector<std::string>& document_rule_names();
// UsageError listing these names for others.
DocumentRule parse_document_rule(std::string_view name);

// State of reading a file; by default at its start.
struct DocumentState {
  bool inside_tags = false;
  bool open = false;      // a document has begun
  bool has_text = false;  // the document holds more than whitespace
  bool mid_line = false;  // inside a long line

  bool operator==(const DocumentState&) const = default;
};

// The effect of a line, or of a part of a long one.
struct LineEffect {
  bool is_text = false;        // part of the open document, unlike tags and blank lines that end it
  bool ends_document = false;  // the document, including this line if it is text, is complete
};

// Advances the state over one line (starts_line and ends_line) or a part of one. When a document ends, the caller
// checks `state.has_text` and then calls close().
LineEffect read_part(DocumentState& state, DocumentRule rule, std::string_view text, bool starts_line, bool ends_line);
void close(DocumentState& state);

// Passes the documents of `text` (valid UTF-8 without a byte order mark), which starts in `state`, to `sink`. The first
// may continue a document, and the last may be incomplete unless `ends_file`. Line ends inside a document are "\n";
// whitespace-only documents are skipped.
void read_documents(std::string_view text, DocumentRule rule, DocumentState state, bool ends_file,
                    const std::function<void(std::string&&)>& sink);

}  // namespace roformer
