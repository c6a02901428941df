#include "data/corpus.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "text/document_tag.h"
#include "text/text_file.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// Gathers lines into documents.
class DocumentBuilder {
 public:
  DocumentBuilder(DocumentRule rule, const std::function<void(std::string&&)>& sink) : rule_(rule), sink_(sink) {}

  void add(std::string_view line) {
    const bool tags = rule_ == DocumentRule::automatic || rule_ == DocumentRule::doc_tags;
    const DocumentTag tag = tags ? document_tag(line) : DocumentTag::none;
    if (tag != DocumentTag::none) {
      finish();
      inside_tags_ = tag == DocumentTag::open;
      return;
    }
    const bool blank = is_blank(line);
    const bool blank_ends = rule_ == DocumentRule::blank_line || (rule_ == DocumentRule::automatic && !inside_tags_);
    if (blank && blank_ends) return finish();
    if (blank && document_.empty()) return;
    document_.append(line).push_back('\n');
    has_text_ = has_text_ || !blank;
    if (rule_ == DocumentRule::lines) finish();
  }

  void end_file() {
    finish();
    inside_tags_ = false;
  }

  int64_t documents() const { return documents_; }

 private:
  void finish() {
    if (has_text_) {
      document_.pop_back();
      ++documents_;
      sink_(std::move(document_));
    }
    document_.clear();
    has_text_ = false;
  }

  DocumentRule rule_;
  const std::function<void(std::string&&)>& sink_;
  std::string document_;
  bool has_text_ = false;
  bool inside_tags_ = false;
  int64_t documents_ = 0;
};

}  // namespace

DocumentRule parse_document_rule(std::string_view name) {
  if (name == "automatic") return DocumentRule::automatic;
  if (name == "blank-line") return DocumentRule::blank_line;
  if (name == "lines") return DocumentRule::lines;
  if (name == "doc-tags") return DocumentRule::doc_tags;
  throw UsageError("unknown document rule {}, expected automatic, blank-line, lines or doc-tags", quote(name));
}

CorpusSummary read_documents(std::span<const std::string> paths, DocumentRule rule,
                             const std::function<void(std::string&&)>& sink) {
  CorpusSummary summary;
  Hasher hash;
  DocumentBuilder builder(rule, sink);
  for (const auto& path : paths) {
    TextFile file(path);
    int64_t size = 0;
    file.observe([&](std::string_view block) {
      size += static_cast<int64_t>(block.size());
      hash.update(block.data(), static_cast<int64_t>(block.size()));
    });
    for (std::string_view line; file.next_line(line);) builder.add(line);
    builder.end_file();
    hash.update(&size, sizeof size);  // text moved from one file to the next is another corpus
    summary.bytes += size;
  }
  summary.documents = builder.documents();
  summary.content_hash = hash.hex();
  return summary;
}

}  // namespace roformer
