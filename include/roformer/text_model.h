// A model directory with its tokenizer: config.json, model.safetensors and the tokenizer's files, as in transformers.
//
// Threads: after open() all functions are const, and any number of threads may call them on one TextModel at once. The
// calls share the model's threads; each gives the same bits as it would alone, with any number of threads.
// Signals: while the library computes, it blocks signals on the threads that compute, so handlers of the program
// run on another thread, or on this one between two kernels. docs/library.md says more.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "roformer/error.h"
#include "roformer/export.h"
#include "roformer/matrix.h"
#include "roformer/text_tokenizer.h"
#include "roformer/texts.h"

namespace roformer {
inline namespace v0 {

struct ModelOptions {
  int threads = 0;             // that compute, the calling one among them; 0 = one for each CPU the process may use
  std::string device = "cpu";  // "cpu", or "reference": scalar and slow, for comparison
  // Of the operands of matrix products: "float32", or on "cpu" also "bfloat16" and "int8", to which weights are rounded
  // when the model is opened. Accumulation and everything else are float32.
  std::string dtype = "float32";
  // Longer texts are truncated to this many tokens, except by fill_mask and generate. 0 = never, but embed, similarity
  // and classify follow the directory's limit (sentence-transformers') and cut where learned positions end.
  int64_t max_length = 0;
  int64_t max_batch_tokens = 4096;  // texts are batched up to this many tokens: bounds the memory
};

// Other modules of the directory (modules.json: prompts, dense layers) are applied with each of these.
enum class EmbeddingPooling {
  automatic,         // the directory's setting (1_Pooling/config.json), else the pooler for RoFormer-Sim, else mean
  cls,               // the first token's hidden state
  mean,              // of all tokens, [CLS] and [SEP] included
  max,               // the largest of each column
  pooler,            // the model's pooler applied to the first token's hidden state; Error for a model without one
  mean_sqrt_length,  // the sum over all tokens / the square root of their number
  weighted_mean,     // with the weights 1, 2, ... in the order of the tokens
  last_token         // the last token's hidden state
};

struct EmbeddingOptions {
  EmbeddingPooling pooling = EmbeddingPooling::automatic;
  // To length 1, so that a dot product of two is their cosine; a zero vector stays as it is. Not set: the
  // directory's setting (modules.json), else no.
  std::optional<bool> normalize = {};
  // What stands before each text: a text, or the name of one of the directory's prompts. Neither: its default prompt.
  // Error for both, and for a name that the directory does not have.
  std::optional<std::string> prompt = {}, prompt_name = {};
  std::optional<int64_t> dimensions = {};  // only the first ones of each vector (Matryoshka); normalize acts after it
};

struct TextEmbedding {
  std::vector<float> values;  // [H], or as many as the directory's modules make of them
  int64_t tokens = 0;         // of the text, as the model got it
};

// One proposal for a [MASK].
struct MaskCandidate {
  std::string token;
  int32_t id = 0;
  double score = 0;  // softmax probability over the model's whole vocabulary
};

// For each [MASK] of a text, in order, its candidates, the most probable first.
using FilledMasks = std::vector<std::vector<MaskCandidate>>;

struct Classification {
  std::string label;           // of the highest score
  double score = 0;            // the highest score
  std::vector<double> scores;  // one for each of labels(): probabilities that sum to 1 (single-label), a probability of
                               // each label (multi-label), or the numbers themselves (regression)
};

// A token with the most probable of labels().
struct LabeledToken {
  std::string token;
  int32_t id = 0;
  std::string label;
  double score = 0;                  // the label's probability
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of the text
};

struct QuestionOptions {
  int64_t max_tokens = 30;  // longest answer, before it is extended to whole words
  // A longer context is read in windows that share this many tokens; not set: half a window, at most 128. A window has
  // ModelOptions::max_length tokens, question included; by default 384, or fewer if the model's positions end before.
  std::optional<int64_t> stride = {};
  bool align_to_words = true;  // extend an answer that ends within a word
};

struct TextAnswer {
  std::string text;                  // a part of the context; empty for an empty context
  double score = 0;                  // probability that it begins and ends where it does, summed over equal texts
  std::array<int64_t, 2> offsets{};  // [begin, end) in code points of the context
};

struct TextGenerationOptions {
  int64_t max_new_tokens = 128, min_new_tokens = 0;
  std::vector<std::string> stop_strings = {};  // a text ends before the first of these
  // How the next token is chosen, as in transformers and in its order. Without greedy it is sampled.
  double repetition_penalty = 1;    // above 1: tokens of the text so far become less probable
  bool greedy = false;              // the most probable token; the options below then have no effect
  double temperature = 1;           // divides the logits; 0 = greedy
  int64_t top_k = 50;               // only the k most probable tokens; 0 = all
  double top_p = 1;                 // only the fewest tokens whose probabilities sum to at least this
  double min_p = 0;                 // only tokens with at least this fraction of the top probability
  uint64_t seed = 0;                // together with a prompt's index in the call, determines all sampling
  int64_t context = 0;              // context length in tokens; 0 = max_position_embeddings of config.json
  std::string overflow = "";        // when the context is full: "shift" (drop the older half), "stop" or "error";
                                    // empty: shift, or stop where positions are added to the input
  std::string attention_mask = "";  // "causal", or "prefix": UniLM's, of RoFormer-Sim; empty: the model's
  int64_t batch_size = 8;           // prompts per batch: bounds the memory
  // Called in the calling thread: with the index of a prompt and text of its continuation as soon as it is certain,
  std::function<void(size_t index, const std::string& text)> on_text = {};
  // and after it with each token and the text that the token completed, maybe none. False ends this continuation.
  std::function<bool(size_t index, int32_t id, const std::string& text)> on_token = {};
};

enum class GenerationEnd {
  end_token,    // "eos_token_id" of generation_config.json or config.json, else [SEP]
  stop_string,  // one of stop_strings
  length,       // max_new_tokens
  context,      // the context is full
  halted        // on_token returned false
};

struct GeneratedText {
  std::string text;          // the continuation, without special tokens and what a stop string cut off
  std::vector<int32_t> ids;  // all that were generated, an end token included
  GenerationEnd end = GenerationEnd::length;
};

class ROFORMER_EXPORT TextModel {
 public:
  // Error naming file and tensor where the directory is not a model that this library supports; Error for a device that
  // does not exist, a dtype that it does not have, or fewer than 0 threads.
  static TextModel open(const std::string& directory, const ModelOptions& options = {});
  // The same of a directory's files in memory. Weights are used where they lie, so all bytes must stay as they are as
  // long as the model exists. Errors name the directory "memory:N".
  static TextModel open_memory(const MemoryFiles& files, const ModelOptions& options = {});

  TextModel(TextModel&&) noexcept;
  TextModel& operator=(TextModel&&) noexcept;
  ~TextModel();

  int64_t hidden_size() const;
  int64_t parameters() const;
  bool fills_masks() const;        // has a masked-language-model head
  bool classifies_texts() const;   // has a sequence-classification head
  bool generates_texts() const;    // has a language-model head and is causal
  bool labels_tokens() const;      // has a token-classification head
  bool answers_questions() const;  // has a question-answering head
  bool chooses() const;            // has a multiple-choice head
  // Of a sequence- or token-classification head, in the order of its scores; empty for other models.
  const std::vector<std::string>& labels() const;
  const TextTokenizer& tokenizer() const;
  // Keys of config.json that this library does not know and that could matter: worth a warning.
  const std::vector<std::string>& ignored_settings() const;
  // What is unusual about the directory and was made of it, a sentence each, as the program prints it: ignored
  // settings, tensors that are not used, a head that the file does not hold, ...
  const std::vector<std::string>& warnings() const;

  // By tokenizer(), not truncated unless the options say so.
  TokenizedText tokenize(std::string_view text, const TokenizeOptions& options = {}) const;

  // The functions for several texts take what Texts takes (texts.h), compute them packed, without padding, and return
  // their results in order. A text's result differs from the one it has alone by rounding only. Error for text that is
  // not UTF-8, by its number where there are several, and, unless it is cut, for one longer than the learned positions
  // of a model that has them. An Error of kind interrupted ends a call soon after a stop is requested of its token; the
  // model is as it was.

  // The last layer's output: a row [hidden_size()] for each token of tokenize(), [CLS] and [SEP] included.
  Matrix encode(std::string_view text, const std::stop_token& stop = {}) const;
  TextMatrix encode(Texts texts, const std::stop_token& stop = {}) const;
  TextMatrix encode(std::initializer_list<Text> texts, const std::stop_token& stop = {}) const {
    return encode(Texts(texts), stop);
  }
  // Tokens of the caller's own, such as a pair of texts. Uses ids and segment_ids (empty: all 0); never cut. Error for
  // ids and segments that the model does not have.
  Matrix encode(const TokenizedText& text, const std::stop_token& stop = {}) const;

  // What the head computes, before any softmax. A row for each token: [vocabulary] of a language model, [labels] of
  // token classification, [2] (start, end) of question answering; one row for a text: [labels] of sequence
  // classification, [1] of multiple choice. Error for a model without a head, for no tokens, and where a number is not
  // finite.
  Matrix logits(std::string_view text, const std::stop_token& stop = {}) const;
  TextMatrix logits(Texts texts, const std::stop_token& stop = {}) const;
  TextMatrix logits(std::initializer_list<Text> texts, const std::stop_token& stop = {}) const {
    return logits(Texts(texts), stop);
  }
  Matrix logits(const TokenizedText& text, const std::stop_token& stop = {}) const;  // as encode

  // One vector a text: of several texts a matrix with a row for each.
  TextEmbedding embed(std::string_view text, const EmbeddingOptions& options = {},
                      const std::stop_token& stop = {}) const;
  Matrix embed(Texts texts, const EmbeddingOptions& options = {}, const std::stop_token& stop = {}) const;
  Matrix embed(std::initializer_list<Text> texts, const EmbeddingOptions& options = {},
               const std::stop_token& stop = {}) const {
    return embed(Texts(texts), options, stop);
  }

  // `top_k` >= 1. Error for a text without [MASK] and for a model without a masked-language-model head.
  FilledMasks fill_mask(std::string_view text, int64_t top_k = 5, const std::stop_token& stop = {}) const;
  std::vector<FilledMasks> fill_mask(Texts texts, int64_t top_k = 5, const std::stop_token& stop = {}) const;
  std::vector<FilledMasks> fill_mask(std::initializer_list<Text> texts, int64_t top_k = 5,
                                     const std::stop_token& stop = {}) const {
    return fill_mask(Texts(texts), top_k, stop);
  }

  // The cosine of the two texts' embeddings, -1 to 1; 0 where one of them is zero. Where the directory names another
  // function ("similarity_fn_name": dot, euclidean, manhattan) that, distances negative.
  double similarity(std::string_view first, std::string_view second, const EmbeddingOptions& options = {},
                    const std::stop_token& stop = {}) const;
  std::vector<double> similarity(TextPairs pairs, const EmbeddingOptions& options = {},
                                 const std::stop_token& stop = {}) const;

  // Error for a model without a sequence-classification head.
  Classification classify(std::string_view text, const std::stop_token& stop = {}) const;
  std::vector<Classification> classify(Texts texts, const std::stop_token& stop = {}) const;
  std::vector<Classification> classify(TextPairs pairs, const std::stop_token& stop = {}) const;
  std::vector<Classification> classify(std::initializer_list<Text> texts, const std::stop_token& stop = {}) const {
    return classify(Texts(texts), stop);
  }
  std::vector<Classification> classify(std::initializer_list<std::pair<Text, Text>> pairs,
                                       const std::stop_token& stop = {}) const {
    return classify(TextPairs(pairs), stop);
  }

  // The label of each token but [CLS] and [SEP]. Error for a model without a token-classification head.
  std::vector<LabeledToken> label_tokens(std::string_view text, const std::stop_token& stop = {}) const;
  std::vector<std::vector<LabeledToken>> label_tokens(Texts texts, const std::stop_token& stop = {}) const;
  std::vector<std::vector<LabeledToken>> label_tokens(std::initializer_list<Text> texts,
                                                      const std::stop_token& stop = {}) const {
    return label_tokens(Texts(texts), stop);
  }

  // The part of the context that answers the question best; of pairs of a question and a context. Error for a model
  // without a question-answering head.
  TextAnswer answer(std::string_view question, std::string_view context, const QuestionOptions& options = {},
                    const std::stop_token& stop = {}) const;
  std::vector<TextAnswer> answer(TextPairs questions, const QuestionOptions& options = {},
                                 const std::stop_token& stop = {}) const;

  // The probability of each choice as what follows the prompt. Error for a model without a multiple-choice head.
  std::vector<double> choose(std::string_view prompt, Texts choices, const std::stop_token& stop = {}) const;

  // Error for a model that is not a decoder, unless options.attention_mask says otherwise, and for one without a
  // language-model head. A prompt's text depends on neither the other prompts nor the number of threads.
  GeneratedText generate(std::string_view prompt, const TextGenerationOptions& options = {},
                         const std::stop_token& stop = {}) const;
  std::vector<GeneratedText> generate(Texts prompts, const TextGenerationOptions& options = {},
                                      const std::stop_token& stop = {}) const;
  std::vector<GeneratedText> generate(std::initializer_list<Text> prompts, const TextGenerationOptions& options = {},
                                      const std::stop_token& stop = {}) const {
    return generate(Texts(prompts), options, stop);
  }

 private:
  struct Implementation;
  explicit TextModel(std::unique_ptr<const Implementation> implementation);
  std::unique_ptr<const Implementation> implementation_;
};

}  // namespace v0
}  // namespace roformer
