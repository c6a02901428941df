// roformer tokenize: text to tokens, as a model would see it.
#include <unistd.h>

#include <charconv>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/parallel.h"
#include "cli/registry.h"
#include "cli/text_input.h"
#include "cli/tokenizer_options.h"
#include "formats/directory_weights.h"
#include "formats/gguf_file.h"
#include "text/jieba/jieba_tokenizer.h"
#include "text/translation_tokenizers.h"

namespace roformer {
namespace {

struct TokenizeOptions {
  TextInput texts;
  std::string model, save;
  TokenizerOptions tokenizer;
  bool target = false, pair = false, json = false, ids = false, words = false, decode = false;
  int64_t max_length = 0, threads = 0;
};

void describe(OptionSet& set, TokenizeOptions& options) {
  add_texts(set, options.texts);
  set.add("--model", options.model, "model or tokenizer directory", "DIR");
  set.require("--model");
  set.add("--target", options.target, "a translator's tokenizer of the target language instead of the source's");
  set.add("--pair", options.pair, "each item is two texts separated by a tab");
  set.add("--max-length", options.max_length, "truncate to this many tokens, the longer text first; 0 = never", {0});
  set.add("--ids", options.ids, "show ids instead of tokens");
  set.add("--words", options.words, "show the words into which jieba segments the text, before the vocabulary lookup");
  set.add("--decode", options.decode,
          "the reverse: each item is ids, a JSON list or separated by spaces; show their text");
  add_tokenizer(set, options.tokenizer);
  set.add("--save", options.save,
          "also write the tokenizer, with the mode and dictionary chosen here, to this directory", "DIR");
  add_threads(set, options.threads);
  add_json(set, options.json);
}

// Into a directory without a tokenizer, or with the same one in other settings.
void save_tokenizer(const Tokenizer& tokenizer, const std::string& directory) {
  constexpr int64_t kMaxFileBytes = int64_t{1} << 28;
  const auto files = tokenizer.files();
  for (const char* name : {"vocab.txt", "tokenizer.model", "spiece.model", "tokenizer.json", "source.spm", "target.spm",
                           "vocab.json", "target_vocab.json"}) {
    const std::string list = join_path(directory, name);
    if (access(list.c_str(), F_OK) != 0) continue;
    if (std::string_view(name) == "tokenizer.json" && files.contains("vocab.txt")) continue;  // says the same
    if (!files.contains(name) || read_file(list, kMaxFileBytes) != files.at(name)) {
      throw FileError("{}: {} contains another vocabulary; choose another directory", FieldName("save"), list);
    }
  }
  make_directories(directory);
  for (const auto& [name, content] : files) write_file_atomically(join_path(directory, name), content);
}

void append_number(std::string& out, int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

template <class Values, class Append>
void append_list(std::string& out, const Values& values, char separator, const Append& append) {
  bool first = true;
  for (const auto& value : values) {
    if (!first) out += separator;
    first = false;
    append(value);
  }
}

// The ids of an item: a JSON list, or decimal numbers separated by blanks.
std::vector<int32_t> parse_ids(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t start = std::min(text.find_first_not_of(kBlanks), text.size());
  std::vector<int32_t> ids;
  const auto add = [&](std::string_view number) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (error != std::errc() || end != number.data() + number.size()) {
      throw DataError("{} is not a token id", quote(number));
    }
    ids.push_back(id);
  };
  if (text.substr(start).starts_with('[')) {
    const Json list = parse_json(text, "ids");
    for (const Json& id : list) add(dump_json(id));
    return ids;
  }
  for (size_t begin = start; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    add(text.substr(begin, end - begin));
    begin = std::min(text.find_first_not_of(kBlanks, end), text.size());
  }
  return ids;
}

// Writes the output for one text.
class TokenPrinter {
 public:
  TokenPrinter(const Tokenizer& tokenizer, const TokenizeOptions& options)
      : tokenizer_(tokenizer), jieba_(dynamic_cast<const JiebaTokenizer*>(&tokenizer)), options_(options) {
    if (options.decode && (options.pair || options.ids || options.words || options.max_length > 0)) {
      throw InapplicableError("{}: items are ids, to which {}, {}, {} and {} do not apply", FieldName("decode"),
                              FieldName("pair"), FieldName("ids"), FieldName("words"), FieldName("max_length"));
    }
    if (!options.words) return;
    if (options.pair) throw InapplicableError("{}: expected texts, not pairs", FieldName("words"));
    if (!jieba_) throw InapplicableError("{}: {} is not a jieba tokenizer", FieldName("words"), options.model);
  }

  void print(const std::string& text, std::string& out) const {
    if (options_.decode) {
      const std::string decoded = tokenizer_.decode(parse_ids(text));
      out += options_.json ? dump_json({{"text", decoded}}) : decoded;
    } else if (options_.words) {
      const auto words = jieba_->words(text);
      if (options_.json) {
        out += dump_json({{"words", words}});
      } else {
        append_list(out, words, ' ', [&](const std::string& word) { out += word; });
      }
    } else {
      print_encoding(text, out);
    }
    out += '\n';
  }

 private:
  void print_encoding(const std::string& text, std::string& out) const {
    if (options_.json) return print_json(encode(text), out);
    std::vector<int32_t> ids;
    if (options_.pair || options_.max_length > 0) {
      ids = encode(text).ids;
    } else {  // faster: without offsets
      ids = tokenizer_.with_specials(tokenizer_.encode_plain(text));
    }
    append_list(out, ids, ' ', [&](int32_t id) {
      if (options_.ids) {
        append_number(out, id);
      } else {
        out += tokenizer_.token(id);
      }
    });
  }

  Encoding encode(std::string_view text) const {
    if (!options_.pair) return tokenizer_.encode(text, std::nullopt, options_.max_length);
    const size_t tab = text.find('\t');
    if (tab == std::string_view::npos) throw DataError("no tab between the two texts of a pair");
    return tokenizer_.encode(text.substr(0, tab), text.substr(tab + 1), options_.max_length);
  }

  // Written by hand for speed: a line has four lists as long as the text.
  void print_json(const Encoding& encoding, std::string& out) const {
    const auto number = [&](int64_t value) { append_number(out, value); };
    out += R"({"ids":[)";
    append_list(out, encoding.ids, ',', number);
    out += R"(],"offsets":[)";
    append_list(out, encoding.offsets, ',', [&](const auto& offset) {
      out += '[';
      append_list(out, offset, ',', number);
      out += ']';
    });
    out += R"(],"segment_ids":[)";
    append_list(out, encoding.segment_ids, ',', number);
    out += R"(],"tokens":[)";
    append_list(out, encoding.ids, ',', [&](int32_t id) { out += dump_json(tokenizer_.token(id)); });
    out += "]}";
  }

  const Tokenizer& tokenizer_;
  const JiebaTokenizer* jieba_;
  const TokenizeOptions& options_;
};

// Neighboring items, printed by one task.
struct Chunk {
  std::vector<std::string> texts;
  int64_t first = 0;  // number of the first one
  std::string out;
  std::exception_ptr error;
};

struct ReadTexts {
  std::vector<Chunk> chunks;
  std::exception_ptr error;  // of reading what follows them
};

// What can be read without waiting, but at least one item and at most some megabytes; no chunks at the end.
ReadTexts read_batch(TextReader& reader) {
  constexpr size_t kChunkBytes = size_t{1} << 16, kChunks = 64;
  ReadTexts batch;
  size_t bytes = kChunkBytes;
  try {
    for (std::string text; reader.next(text);) {
      if (bytes >= kChunkBytes) {
        batch.chunks.emplace_back().first = reader.count();
        bytes = 0;
      }
      bytes += text.size() + 1;
      batch.chunks.back().texts.push_back(std::move(text));
      if (!reader.ready() || (bytes >= kChunkBytes && batch.chunks.size() == kChunks)) break;
    }
  } catch (const Error&) {
    batch.error = std::current_exception();
  }
  return batch;
}

void print_chunk(const TokenPrinter& printer, const TextReader& reader, Chunk& chunk) {
  int64_t number = chunk.first;
  try {
    for (const std::string& text : chunk.texts) {
      printer.print(text, chunk.out);
      ++number;
    }
  } catch (const DataError& error) {  // what precedes it is printed first
    chunk.error = std::make_exception_ptr(error.prefixed(reader.location(number) + ": "));
  } catch (...) {
    chunk.error = std::current_exception();
  }
}

std::unique_ptr<Tokenizer> open_tokenizer(const TokenizeOptions& options) {
  const bool opens = is_directory(options.model) || is_gguf(options.model);
  const std::string directory = opens ? model_directory(options.model) : options.model;
  if (!options.target) return load_tokenizer(directory, load_options(options.tokenizer));
  for (const auto& [field, value] : {std::pair{"tokenizer_mode", &options.tokenizer.mode},
                                     std::pair{"jieba_dictionary", &options.tokenizer.dictionary}}) {
    if (!value->empty()) {
      throw InapplicableError("{}: a translator's tokenizers take no {}", FieldName("target"), FieldName(field));
    }
  }
  return load_translation_tokenizers(directory).target;
}

void run(const TokenizeOptions& options) {
  const auto tokenizer = open_tokenizer(options);
  const TokenPrinter printer(*tokenizer, options);
  if (!options.save.empty()) save_tokenizer(*tokenizer, options.save);
  TextReader reader(options.texts);
  std::optional<ThreadPool> pool;
  ReadTexts batch = read_batch(reader);
  while (!batch.chunks.empty()) {
    ReadTexts next;
    auto& chunks = batch.chunks;
    const bool ahead = chunks.size() > 1 && !batch.error && reader.ready();  // the next batch is read meanwhile
    if (chunks.size() == 1) {
      print_chunk(printer, reader, chunks[0]);
    } else {
      if (!pool) pool.emplace(static_cast<int>(options.threads));
      pool->run(static_cast<int64_t>(chunks.size()) + (ahead ? 1 : 0), [&](int64_t i) {
        if (ahead && --i < 0) {
          next = read_batch(reader);
        } else {
          print_chunk(printer, reader, chunks[static_cast<size_t>(i)]);
        }
      });
    }
    for (const Chunk& chunk : chunks) {
      std::cout << chunk.out;
      if (chunk.error) std::rethrow_exception(chunk.error);
    }
    if (batch.error) break;
    if (!ahead) {
      std::cout.flush();
      next = read_batch(reader);
    }
    batch = std::move(next);
  }
  if (batch.error) std::rethrow_exception(batch.error);
}

}  // namespace

Command tokenize_command() {
  return {.name = "tokenize",
          .summary = "Show the tokens of texts",
          .group = "Look inside",
          .example = "roformer tokenize --model tokenizer \"In the beginning\" --json",
          .prepare = prepare_with<TokenizeOptions>(describe, run)};
}

}  // namespace roformer
