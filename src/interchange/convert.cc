#include "interchange/convert.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "formats/directory_weights.h"
#include "formats/gguf_file.h"
#include "formats/module_list.h"
#include "interchange/gguf.h"
#include "interchange/llama2c.h"
#include "interchange/rotary_relayout.h"
#include "interchange/self_check.h"
#include "models/families/family.h"
#include "models/rotary_json.h"
#include "models/save_model.h"
#include "text/sentencepiece/llama2c_tokenizer.h"
#include "text/tokenizer.h"

namespace roformer {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFileBytes = int64_t{1} << 28;
constexpr const char* kConfig = "config.json";

// The result of a reader.
struct Source {
  Model model;
  StateDict weights;                         // for the self-check: under canonical names, unchanged
  std::map<std::string, std::string> files;  // companion files, name (or FOLDER/NAME) to content
  Json config;                               // keys copied unless the model's own config sets them
  LoadNotes notes;
};

void add_file(std::map<std::string, std::string>& files, const std::string& directory, const std::string& name) {
  const std::string path = join_path(directory, name);
  if (is_file(path)) files.emplace(name, read_file(path, kMaxFileBytes));
}

// The tokenizer's files unchanged, plus missing ones that this program would write. `input` as given by the user.
std::map<std::string, std::string> companions(const std::string& input, const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const char* name : {"vocab.txt", "tokenizer.model", "spiece.model", "tokenizer.json", "source.spm", "target.spm",
                           "vocab.json", "target_vocab.json", "tokenizer_config.json", "special_tokens_map.json",
                           "added_tokens.json", "generation_config.json"}) {
    add_file(files, directory, name);
  }
  if (files.contains("vocab.txt") || files.contains("tokenizer.json") || files.contains("tokenizer.model") ||
      files.contains("source.spm")) {
    try {
      files.merge(load_tokenizer(directory)->files());
    } catch (const Error&) {
      // Unsupported tokenizers are copied unchanged; loading them reports the error.
    }
  }
  files.merge(module_files(is_directory(input) ? input : directory));
  return files;
}

Source read_transformers(const ConvertOptions& options, Backend& backend) {
  const std::string& input = options.input;
  if (!options.tokenizer.empty())
    throw InapplicableError("{} requires {} llama2c; a model directory has its own tokenizer", FieldName("tokenizer"),
                            FieldName("from"));
  FoundModel found = find_model(input);
  const std::string directory = model_directory(input);
  StateDict weights;
  for (const AvailableTensor& tensor : found.tensors) {
    const bool skipped = matches_pattern(tensor.name, "*position_ids") ||
                         matches_pattern(tensor.name, "*rotary_emb.inv_freq") || !tensor.readable;
    if (!skipped) weights.emplace(canonical_name(*found.config.family, tensor.name), widen(tensor.read()));
  }
  PlannedModel planned = plan_model(std::move(found));
  Model model(backend, planned.config, planned.plan, false);
  Json config = JsonObject::read(join_path(directory, kConfig)).value();
  for (const char* key : {"dtype", "torch_dtype", "transformers_version", "_name_or_path"}) config.erase(key);
  return {std::move(model), std::move(weights), companions(input, directory), std::move(config),
          std::move(planned.notes)};
}

// A GGUF file is a directory for whoever opens it.
Source read_gguf_source(const ConvertOptions& options, Backend& backend) {
  if (!is_file(options.input)) throw FileError("cannot open '{}', expected a GGUF file", FilePath(options.input));
  if (!is_gguf(options.input)) {
    throw DataError("'{}' is not a GGUF file: it does not begin with GGUF", FilePath(options.input));
  }
  return read_transformers(options, backend);
}

Source read_llama2c_source(const ConvertOptions& options, Backend& backend) {
  Llama2cModel read = read_llama2c_model(options.input);
  Model model = build_model(backend, read.config, read.weights, options.input);
  std::map<std::string, std::string> files;
  if (!options.tokenizer.empty()) files = read_llama2c_tokenizer(options.tokenizer, read.config.vocabulary);
  return {std::move(model), std::move(read.weights), std::move(files), Json::object(), {}};
}

// A config's keys as they are written, and the others that it had; rotary keys are written anew. The same of the halves
// of an encoder-decoder.
Json merged(Json config, Json written) {
  for (const std::string_view key : rotary_keys()) config.erase(std::string(key));
  for (const char* half : {"encoder", "decoder"}) {
    const bool both = written.contains(half) && config.contains(half);
    if (both && written[half].is_object() && config[half].is_object()) {
      written[half] = merged(config[half], written[half]);
    }
  }
  config.update(written);
  return config;
}

void write_transformers(const Source& source, const std::string& directory) {
  save_model(source.model, {}, directory);
  const Json config = merged(source.config, write_config(source.model.config()));
  write_file_atomically(join_path(directory, kConfig), config.dump(2) + "\n");
  for (const auto& [name, content] : source.files) {
    const std::string path = join_path(directory, name);
    make_directories(parent_directory(path));
    write_file_atomically(path, content);
  }
}

// The source converted to another rotary layout.
Source relaid(Source source, RotaryLayout layout, Backend& backend, ConvertReport& report) {
  RelaidWeights result = relay_rotary(source.weights, source.model.config(), layout);
  report.old_layout = std::get<RotaryPosition>(source.model.config().position).rotary.layout;
  report.permuted = result.permuted;
  if (report.old_layout == layout) return source;
  Model model = build_model(backend, result.config, result.weights, "the permuted weights");
  source.config.erase("position_embedding_type");  // not written for a plain RoFormer
  return {std::move(model), std::move(result.weights), std::move(source.files), std::move(source.config),
          std::move(source.notes)};
}

struct Reader {
  const char* kind;
  Source (*read)(const ConvertOptions& options, Backend& backend);
};
struct Writer {
  const char* kind;
  void (*write)(const Source& source, const std::string& directory);
};
constexpr Reader kReaders[] = {
    {"transformers", read_transformers}, {"llama2c", read_llama2c_source}, {"gguf", read_gguf_source}};
constexpr const char* kToGguf = "gguf";  // a file, not a directory
constexpr Writer kWriters[] = {{"transformers", write_transformers}};

template <class Table>
const auto& find_kind(const Table& table, const std::string& kind, const char* option) {
  std::string kinds;
  for (const auto& entry : table) {
    if (kind == entry.kind) return entry;
    kinds += (kinds.empty() ? "" : ", ") + std::string(entry.kind);
  }
  throw UsageError("{} is {}, expected {}", FieldName(option), quote(kind), kinds);
}

// A temporary directory beside the output, removed unless renamed.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& target) : target_(target), path_(temporary_name(target)) {
    make_directories(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  void commit() const {
    fsync_directory(path_);
    rename_file(path_, target_);
    fsync_directory(parent_directory(target_));
  }

 private:
  std::string target_, path_;
};

// The first file of `expected` that is missing or different in `directory`; empty if there is none.
std::string first_difference(const std::string& expected, const std::string& directory) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(expected, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().lexically_relative(expected).string();
    const std::string mine = join_path(expected, name), other = join_path(directory, name);
    if (!fs::is_regular_file(mine, error)) continue;
    if (!fs::is_regular_file(other, error) || MappedFile(mine).view() != MappedFile(other).view()) return name;
  }
  if (error) throw FileError("cannot compare '{}' with '{}': {}", FilePath(expected), directory, error.message());
  return "";
}

void stop_if_asked(const ConvertOptions& options) {
  if (options.stop_token.stop_requested()) throw Interrupted("interrupted; nothing was written");
}

}  // namespace

std::vector<std::string> convert_sources() {
  std::vector<std::string> kinds;
  for (const Reader& reader : kReaders) kinds.emplace_back(reader.kind);
  return kinds;
}

std::vector<std::string> convert_targets() {
  std::vector<std::string> kinds;
  for (const Writer& writer : kWriters) kinds.emplace_back(writer.kind);
  kinds.emplace_back(kToGguf);
  return kinds;
}

namespace {

// Removed unless renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : target_(target), path_(temporary_name(target)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  void commit() const {
    rename_file(path_, target_);
    fsync_directory(parent_directory(target_));
  }

 private:
  std::string target_, path_;
};

ConvertReport convert_to_gguf(const Source& source, const ConvertOptions& options, const std::string& output) {
  const bool exists_already = exists(output);
  if (exists_already && !is_file(output)) throw FileError("'{}' is a directory, expected a file", FilePath(output));
  make_directories(parent_directory(output));
  const TemporaryFile temporary(output);
  const std::string name = fs::path(output).stem().string();
  const Json config = merged(source.config, write_config(source.model.config()));
  const GgufWritingReport written =
      write_gguf_model(source.model, config, source.files, options.gguf_type, name, temporary.path());
  stop_if_asked(options);
  ConvertReport report;
  report.tensors = written.tensors;
  report.numbers = written.numbers;
  report.source_hash = written.source_hash;
  report.result_hash = written.result_hash;
  report.notes = source.notes;
  report.written = !exists_already;
  if (!exists_already) {
    temporary.commit();
  } else if (MappedFile(temporary.path()).view() != MappedFile(output).view()) {
    throw FileError("'{}' exists and is different; choose another name", FilePath(output));
  }
  return report;
}

}  // namespace

ConvertReport convert(const ConvertOptions& options, Backend& backend) {
  std::string output = options.output;
  while (output.size() > 1 && output.back() == '/') output.pop_back();
  if (options.input.empty())
    throw UsageError("{} is empty, expected a model directory or a weights file", FieldName("input"));
  if (output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  std::error_code error;
  const bool to_gguf = options.to == kToGguf;
  const bool exists_already = !to_gguf && exists(output) && !fs::is_empty(output, error);
  if (exists_already && !fs::is_directory(output, error))
    throw FileError("'{}' is a file, expected a directory", FilePath(output));

  ConvertReport layouts;
  const Source source = [&] {
    Source read = find_kind(kReaders, options.from, "from").read(options, backend);
    if (!options.rotary_layout) return read;
    return relaid(std::move(read), *options.rotary_layout, backend, layouts);
  }();
  stop_if_asked(options);
  if (to_gguf) {
    ConvertReport report = convert_to_gguf(source, options, output);
    report.old_layout = layouts.old_layout;
    report.permuted = layouts.permuted;
    return report;
  }
  make_directories(parent_directory(output));
  const TemporaryDirectory temporary(output);
  find_kind(kWriters, options.to, "to").write(source, temporary.path());
  stop_if_asked(options);
  load_model(temporary.path(), backend);  // verifies that it can be loaded
  ConvertReport report = self_check(source.weights, temporary.path());
  stop_if_asked(options);
  for (const auto& [name, content] : source.files) report.files.push_back(name);
  report.notes = source.notes;
  report.old_layout = layouts.old_layout;
  report.permuted = layouts.permuted;
  report.written = !exists_already;
  if (!exists_already) {
    temporary.commit();
  } else if (const std::string name = first_difference(temporary.path(), output); !name.empty()) {
    throw FileError("'{}' exists and its {} is missing or different; choose another directory", FilePath(output),
                    quote(name));
  }
  return report;
}

}  // namespace roformer
