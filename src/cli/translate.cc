// roformer translate: lines of one language to lines of another.
#include "cli/translate.h"

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "base/progress.h"
#include "base/signal.h"
#include "cli/registry.h"

namespace roformer {
namespace {

constexpr int64_t kMaxTokens = 1 << 20;

void describe_search(OptionSet& set, TranslateOptions& options) {
  set.section("Decoding");
  set.add("--beam", options.beams,
          "hypotheses of the beam search; 1 = greedy (default: the directory's generation_config.json, else 4)",
          {1, 1024});
  set.add("--length-penalty", options.length_penalty,
          "A: of hypotheses that differ in length the one with the best log P / length^A is taken (default: the "
          "directory's, else 0.6)",
          {-100, 100});
  set.add_choice("--length-penalty-kind", options.penalty_kind, {"power", "gnmt"},
                 "what divides log P: length^A (fairseq, transformers), or ((5 + length) / 6)^A (GNMT)");
  set.add("--coverage-penalty", options.coverage_penalty,
          "B: scores gain B times the sum over source tokens of log min(attention to it, 1) (GNMT), so that what is "
          "left out costs; 0 = off",
          {0, 100});
  set.add("--n-best", options.n_best,
          "print so many hypotheses of each line, at most --beam; with --sample, so many draws", {1, 1024});
  set.add("--max-new-tokens", options.max_new_tokens,
          "tokens of a translation (default: three times those of the line and 32 more, at most the directory's "
          "max_length)",
          {1, kMaxTokens});
  set.add("--no-repeat-ngram", options.no_repeat_ngram,
          "no sequence of so many tokens comes twice in a translation; 0 = off (default: the directory's, else 0)",
          {0, kMaxTokens});
  set.add("--prefix", options.prefixes,
          "each translation begins with its line of this file, in the target language; the last word of a line may go "
          "on unless a space ends it",
          "FILE");
}

void describe_sampling(OptionSet& set, TranslateOptions& options) {
  set.section("Sampling");
  set.add("--sample", options.sample, "draw translations instead of searching for the best");
  add_sampling(set, options.sampling);
  add_seed(set, options.seed);
}

void describe(OptionSet& set, TranslateOptions& options) {
  add_text_run(set, options.run);
  describe_search(set, options);
  describe_sampling(set, options);
  set.section("Words");
  set.add("--alignment", options.alignment,
          "print behind each translation which words of the line, counted from 0, are which of the translation: "
          "\" ||| 0-0 1-2\"");
  set.add("--alignment-layer", options.alignment_layer,
          "the decoder layer, from 1, whose attention aligns and covers (default: the last of the first half)",
          {1, 1024});
  set.add("--markup", options.markup,
          "lines have inline tags, <b>…</b>, and entities, &amp;: translate the text and put the tags around the words "
          "that translate theirs");
  set.section("Input");
  set.add("--max-source-tokens", options.max_source_tokens,
          "translate a line of more tokens in parts, divided between sentences", {2, kMaxTokens});
  set.add("--score", options.targets,
          "do not translate: print the score of each line of this file as the translation of its line of the input",
          "FILE");
}

using GivenOptions = std::initializer_list<std::pair<const char*, bool>>;

// Options that are of no effect beside `field`.
void refuse_given(const char* field, const char* does_not, GivenOptions given) {
  for (const auto& [name, is_given] : given) {
    if (is_given)
      throw InapplicableError("{} does not {}: expected no {}", FieldName(field), does_not, FieldName(name));
  }
}

// Options that are of effect only beside `field`.
void require_for(const char* field, GivenOptions given) {
  for (const auto& [name, is_given] : given) {
    if (is_given) throw InapplicableError("{} requires {}", FieldName(name), FieldName(field));
  }
}

void check(const TranslateOptions& options) {
  const bool covers = options.coverage_penalty > 0;
  const SamplingChoices& sampling = options.sampling;
  if (!options.targets.empty()) {
    refuse_given("score", "search",
                 {{"beam", options.beams.has_value()},
                  {"n_best", options.n_best != 1},
                  {"max_new_tokens", options.max_new_tokens.has_value()},
                  {"no_repeat_ngram", options.no_repeat_ngram.has_value()},
                  {"prefix", !options.prefixes.empty()},
                  {"sample", options.sample},
                  {"alignment", options.alignment},
                  {"markup", options.markup}});
  }
  if (options.sample)
    refuse_given("sample", "search", {{"beam", options.beams.has_value()}, {"coverage_penalty", covers}});
  if (!options.sample) {
    require_for("sample", {{"temperature", sampling.temperature.has_value()},
                           {"top_k", sampling.top_k.has_value()},
                           {"top_p", sampling.top_p.has_value()},
                           {"min_p", sampling.min_p.has_value()}});
  }
  if (!options.alignment && !options.markup && !covers) {
    require_for("alignment", {{"alignment_layer", options.alignment_layer.has_value()}});
  }
}

TranslatorOptions options_of(const TranslateOptions& options, const Session& session, std::stop_token stop) {
  TranslatorOptions result = read_translator_options(session.directory());
  result.beams = options.beams.value_or(result.beams);
  result.length_penalty = options.length_penalty.value_or(result.length_penalty);
  result.penalty_kind = options.penalty_kind == "gnmt" ? LengthPenalty::gnmt : LengthPenalty::power;
  result.coverage_penalty = options.coverage_penalty;
  result.alignment_layer = options.alignment_layer;
  if (options.sample) result.sampling = options.sampling.options();
  result.max_new_tokens = options.max_new_tokens;
  result.no_repeat_ngram = options.no_repeat_ngram.value_or(result.no_repeat_ngram);
  result.candidates = options.n_best;
  result.batch_tokens = options.run.batch_tokens;
  result.stop_token = std::move(stop);
  return result;
}

// A vocabulary of another model: ids without a row are an error, rows without a token are never chosen.
void check_vocabulary(const Tokenizer& tokenizer, int64_t rows, const std::string& file, const std::string& directory,
                      std::vector<int32_t>* never) {
  const int64_t tokens = tokenizer.vocabulary_size();
  const std::string path = join_path(directory, file);
  if (tokens > rows) {
    throw DataError("{} has {}, the model in {} embeddings of {}: the vocabulary is another model's", FilePath(path),
                    counted(tokens, "token"), FilePath(directory), rows);
  }
  if (tokens == rows) return;
  print_warning(fmt::format("{} has {}, the model in {} embeddings of {}: the vocabulary may be another model's", path,
                            counted(tokens, "token"), directory, rows));
  for (int64_t id = tokens; never != nullptr && id < rows; ++id) never->push_back(static_cast<int32_t>(id));
}

void check_vocabularies(const Session& session, const TranslationTokenizers& tokenizers, TranslatorOptions& options) {
  const ModelConfig& config = session.model().config();
  const std::string target = tokenizers.shared ? "vocab.json" : "target_vocab.json";
  if (!tokenizers.shared) {
    check_vocabulary(*tokenizers.source, config.reader().vocabulary, "vocab.json", session.directory(), nullptr);
  }
  check_vocabulary(*tokenizers.target, config.vocabulary, target, session.directory(), &options.banned);
}

void run(const TranslateOptions& options) {
  check(options);
  const Session session(options.run.model, session_options(options.run));
  const TranslationTokenizers tokenizers = load_translation_tokenizers(session.directory());
  const StopOnSignal stop;
  TranslatorOptions how = options_of(options, session, stop.token());
  check_vocabularies(session, tokenizers, how);
  print_warnings(session.notes());
  const Translator translator(session.model(), std::move(how));
  const TranslationEngine engine{session, tokenizers, translator};
  options.targets.empty() ? translate_lines(options, engine) : score_translations(options, engine);
}

}  // namespace

Command translate_command() {
  return {.name = "translate",
          .summary = "Translate lines with an encoder-decoder",
          .group = "Use",
          .example = "roformer translate --model opus-mt-en-de --input english.txt > german.txt",
          .prepare = prepare_with<TranslateOptions>(describe, run)};
}

}  // namespace roformer
