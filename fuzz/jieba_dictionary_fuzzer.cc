// jieba's dictionary as text (byte 0 even) or compiled image (odd), then segmentation with it. The checksum of an image
// is fixed up, so that mutations reach the checks behind it.
#include <cstring>

#include "base/hash.h"
#include "fuzz/fuzz.h"
#include "text/jieba/jieba.h"

namespace roformer::fuzz {

namespace {

constexpr size_t kHeaderBytes = 96, kHashBytes = 32;

void check_words(const std::shared_ptr<const JiebaDictionary>& dictionary, std::u32string_view text) {
  for (const JiebaRules rules : {JiebaRules::jieba, JiebaRules::jieba_rs}) {
    JiebaSegmenter::Words words;
    JiebaSegmenter(dictionary, rules).cut(text, words);
    size_t last = 0;
    for (const size_t end : words.ends) {
      require(last < end && end <= text.size(), "words follow each other");
      last = end;
    }
    require(last == text.size(), "the words are the whole text");
  }
}

std::shared_ptr<const JiebaDictionary> open_image(std::string image) {
  if (image.size() >= kHeaderBytes) {
    const std::string hash = hash_hex(std::string_view(image).substr(kHeaderBytes));
    std::memcpy(image.data() + kHeaderBytes - kHashBytes, hash.data(), kHashBytes);
  }
  const auto owner = std::make_shared<const std::string>(std::move(image));
  return std::make_shared<const JiebaDictionary>(*owner, owner, "image");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view content = as_text(data + 1, size - 1);
  std::u32string text = U"a1 c++今天天气非常好\r\n中\u9FD6国\U00020000";
  for (const char c : content.substr(0, 300)) text += static_cast<char32_t>(0x4E00 + static_cast<unsigned char>(c));
  if (find_invalid_utf8(content) == kValidUtf8) {
    for (size_t i = 0; i < content.size();) {
      const CodePoint c = decode_utf8(content.data() + i);
      text += c.value;
      i += static_cast<size_t>(c.length);
    }
  }
  accepts([&] {
    if (data[0] % 2 == 1) return check_words(open_image(std::string(content)), text);
    const std::string image = JiebaDictionary::compile(content, "text");
    const auto dictionary = open_image(image);  // must accept the result of compile()
    check_words(dictionary, text);
  });
  return 0;
}

}  // namespace roformer::fuzz
