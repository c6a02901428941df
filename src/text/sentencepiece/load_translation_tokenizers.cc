#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"
#include "text/sentencepiece/marian_tokenizer.h"
#include "text/tokenizer_settings.h"

namespace roformer {

namespace {

constexpr const char* kSourceModel = "source.spm";

std::string read_translator_file(const std::string& directory, const char* name, int64_t max_bytes) {
  const std::string path = join_path(directory, name);
  if (!exists(path)) {
    throw FileError("{}: no such file, expected source.spm, target.spm and vocab.json of a translator{}",
                    FilePath(path),
                    std::string_view(name) == "target_vocab.json" ? ", and this for its \"separate_vocabs\"" : "");
  }
  return read_file(path, max_bytes);
}

Vocabulary read_pieces(const std::string& content, const std::string& path) {
  VocabularyObject object = read_vocabulary_file(JsonObject(parse_json(content, path, {}, path), path));
  return {std::move(object.tokens), path, std::move(object.holes)};
}

std::optional<TranslationLanguages> read_languages(const JsonObject& config) {
  TranslationLanguages languages{.source = config.get_string("source_lang", ""),
                                 .target = config.get_string("target_lang", "")};
  if (languages.source.empty() && languages.target.empty()) return std::nullopt;
  return languages;
}

}  // namespace

bool is_translator(const std::string& directory, const std::string& tokenizer_class) {
  return tokenizer_class == kMarianTokenizerClass ||
         (tokenizer_class.empty() && exists(join_path(directory, kSourceModel)));
}

TranslationTokenizers make_translation_tokenizers(MarianFiles files, const JsonObject& config,
                                                  const std::string& directory) {
  if (config.has("sp_model_kwargs") && !config.get_object("sp_model_kwargs").value().empty()) {
    config.reject("sp_model_kwargs", "{}, as others change the ids");
  }
  const TokenSettings settings(config, directory, nullptr);
  const SpecialTokens specials{.pad = settings.name("pad_token", "<pad>"),
                               .unk = settings.name("unk_token", "<unk>"),
                               .cls = "",
                               .sep = settings.name("eos_token", "</s>"),
                               .mask = ""};
  const auto shared_files = std::make_shared<const MarianFiles>(std::move(files));
  const auto parse_model = [&](const std::string& content, const char* name) {
    SentencePieceModel model = parse_sentencepiece_model(content, join_path(directory, name));
    model.rounds_before_comparing = true;  // as the package that transformers uses
    return model;
  };
  SentencePieceModel source = parse_model(shared_files->source_model, kSourceModel);
  SentencePieceModel target = parse_model(shared_files->target_model, "target.spm");
  TranslationTokenizers result;
  result.shared = !shared_files->target_vocabulary;
  result.languages = read_languages(config);

  const auto make = [&](SentencePieceModel model, const SentencePieceModel& decoding, const std::string& content,
                        const char* name) {
    const std::string path = join_path(directory, name);
    Vocabulary vocabulary = read_pieces(content, path);
    auto added = settings.add_to(vocabulary, specials, path);
    auto tokenizer =
        std::make_unique<MarianTokenizer>(std::move(model), decoding, std::move(vocabulary),
                                          MarianTokenizer::Settings{specials, result.languages}, shared_files, path);
    tokenizer->add_tokens(std::move(added));
    apply_length_settings(*tokenizer, config);
    return tokenizer;
  };
  result.target = result.shared ? make(target, source, shared_files->vocabulary, "vocab.json")
                                : make(target, target, *shared_files->target_vocabulary, "target_vocab.json");
  result.source = make(source, source, shared_files->vocabulary, "vocab.json");
  return result;
}

TranslationTokenizers load_translation_tokenizers(const std::string& directory) {
  if (!is_directory(directory)) {
    throw FileError("{}: no such directory, expected one with a translator's source.spm{}", FilePath(directory),
                    download_hint(directory));
  }
  const std::string path = join_path(directory, "tokenizer_config.json");
  const JsonObject config = exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  const std::string named = named_tokenizer_class(config, directory);
  if (!named.empty() && named != kMarianTokenizerClass) {
    throw DataError("{}: '{}' is {}, expected {} for the tokenizers of a translator", FilePath(path),
                    KeyName("tokenizer_class"), quote(named), kMarianTokenizerClass);
  }
  MarianFiles files{.source_model = read_translator_file(directory, kSourceModel, kMaxSentencePieceBytes),
                    .target_model = read_translator_file(directory, "target.spm", kMaxSentencePieceBytes),
                    .vocabulary = read_translator_file(directory, "vocab.json", kMaxVocabularyBytes),
                    .target_vocabulary = {}};
  if (config.get_bool("separate_vocabs", false)) {
    files.target_vocabulary = read_translator_file(directory, "target_vocab.json", kMaxVocabularyBytes);
  }
  return make_translation_tokenizers(std::move(files), config, directory);
}

}  // namespace roformer
