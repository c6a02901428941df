// Text files to documents. Byte 0 chooses what ends a document; two files lie between lines of "%%".
#include "data/corpus.h"

#include "fuzz/fuzz.h"

namespace roformer::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Scratch& scratch = Scratch::get();
  const auto rule = static_cast<DocumentRule>(data[0] % 4);
  const auto files = split_files(as_text(data + 1, size - 1), 2);
  scratch.put("a.txt", files[0]);
  scratch.put("b.txt", files[1]);
  std::vector<std::string> paths;
  for (const char* name : {"a.txt", "b.txt"}) {
    if (std::filesystem::exists(scratch.path(name))) paths.push_back(scratch.path(name));
  }
  accepts([&] {
    int64_t documents = 0;
    const CorpusSummary summary = read_documents(paths, rule, [&](std::string&& document) {
      ++documents;
      require(find_invalid_utf8(document) == kValidUtf8 && document.find('\0') == document.npos, "documents are text");
      require(!is_blank(document), "documents are not blank");
    });
    require(summary.documents == documents, "the summary counts the documents");
  });
  return 0;
}

}  // namespace roformer::fuzz
