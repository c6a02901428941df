// What a document is in plain text, line by line: the rules and the state they need, nothing else. So text can be
// scanned once to find where documents end, and read again later from any such place.
// The room data/ turns text files into token sequences to train on. It is not a dataset library: no labels (tasks read
// their own tables), no cache on disk. Keeping all tokens in memory was rejected because texts are larger than
// memories.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

enum class DocumentRule {
  automatic,   // `<doc ...>` ... `</doc>` blocks are documents; outside of them as blank_line
  blank_line,  // a line with nothing but whitespace ends a document
  lines,       // every line is a document
  doc_tags,    // only the tag lines end a document; text outside the tags makes documents too
};

const std::vector<std::string>& document_rule_names();
// UsageError naming these for anything else.
DocumentRule parse_document_rule(std::string_view name);

// Where the reader of a file is. The start of a file is the default.
struct DocumentState {
  bool inside_tags = false;
  bool open = false;      // a document has begun
  bool has_text = false;  // and holds more than whitespace: it is one
  bool mid_line = false;  // a long line goes on

  bool operator==(const DocumentState&) const = default;
};

// What a line, or a part of a long one, does.
struct LineEffect {
  bool is_text = false;        // it belongs to the open document; tags, and blank lines that end something, do not
  bool ends_document = false;  // the document, with this line if it is text, is complete: its has_text is in the state
};

// Advances the state over one line (starts_line and ends_line) or a part of one. When a document ended, the caller asks
// `state.has_text` and then calls close().
LineEffect read_part(DocumentState& state, DocumentRule rule, std::string_view text, bool starts_line, bool ends_line);
void close(DocumentState& state);

// The documents of `text`, valid UTF-8 without a byte order mark, that starts in the state `state`: the first may be
// the rest of a document, and the last a beginning where the text does not reach the end of its file. Line ends inside
// a document are "\n"; documents of nothing but whitespace are left out.
void read_documents(std::string_view text, DocumentRule rule, DocumentState state, bool ends_file,
                    const std::function<void(std::string&&)>& sink);

}  // namespace roformer
