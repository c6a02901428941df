// Text files, plain or compressed, to documents. Byte 0 selects the document rule, byte 1 the block size; two files
// follow, separated by lines of "%%".
#include <algorithm>

#include "data/text_blocks.h"
#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

struct Read {
  int64_t documents = 0;
  std::string letters;  // of all documents, without line ends, which may remain at the end of a split part
};

Read read_all(const std::vector<std::string>& paths, DocumentRule rule, int64_t block_bytes) {
  const TextBlocks blocks(paths, rule, block_bytes);
  Read result{.documents = blocks.documents(), .letters = {}};
  int64_t parts = 0;
  for (int64_t block = 0; block < blocks.size(); ++block) {
    for (const std::string& document : blocks.read(block)) {
      ++parts;
      require(find_invalid_utf8(document) == kValidUtf8 && document.find('\0') == document.npos, "documents are text");
      std::copy_if(document.begin(), document.end(), std::back_inserter(result.letters),
                   [](char c) { return c != '\n'; });
    }
  }
  require(parts >= result.documents, "no document is lost");
  require(blocks.size() > 1 || parts == result.documents, "one block cuts no document");
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Scratch& scratch = Scratch::get();
  const auto rule = static_cast<DocumentRule>(data[0] % 4);
  const auto files = split_files(as_text(data + 2, size - 2), 2);
  scratch.put("a.txt", files[0]);
  scratch.put("b.txt", files[1]);
  std::vector<std::string> paths;
  for (const char* name : {"a.txt", "b.txt"}) {
    if (std::filesystem::exists(scratch.path(name))) paths.push_back(scratch.path(name));
  }
  Read whole, cut;
  const bool accepted = accepts([&] { whole = read_all(paths, rule, int64_t{1} << 40); });
  require(accepts([&] { cut = read_all(paths, rule, 1 + data[1]); }) == accepted, "cutting decides no error");
  require(whole.documents == cut.documents && whole.letters == cut.letters, "cutting changes no text");
  return 0;
}

}  // namespace roformer::fuzz
