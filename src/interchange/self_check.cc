#include "interchange/self_check.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "formats/directory_weights.h"

namespace roformer {

namespace {

// Output weights and the word embeddings they may be tied to, in both naming schemes.
constexpr std::pair<const char*, const char*> kTied[] = {
    {"cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"},
    {"lm_head.weight", "embed_tokens.weight"},
    {"lm_head.weight", "wte.weight"}};
constexpr const char* kPositions = "*embed_positions.weight";  // a computed table
constexpr size_t kMaxProblems = 5;

// The tensor as contiguous float32; other than floating-point types are unchanged.
Tensor as_float32(const Tensor& tensor) {
  if (tensor.dtype() != DType::float64) return tensor;
  Tensor result = Tensor::allocate(tensor.shape(), DType::float32);
  std::transform(tensor.data<double>(), tensor.data<double>() + tensor.elements(), result.data<float>(),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0);
}

void add_to_hash(Hasher& hash, const std::string& name, const Tensor& tensor) {
  hash.update(name.data(), static_cast<int64_t>(name.size() + 1));  // including the NUL
  const int64_t rank = tensor.shape().rank();
  hash.update(&rank, sizeof rank);
  for (int i = 0; i < rank; ++i) {
    const int64_t dim = tensor.dim(i);
    hash.update(&dim, sizeof dim);
  }
  if (tensor.bytes() > 0) hash.update(tensor.raw(), tensor.bytes());
}

// What stands before the names of an encoder-decoder's decoder.
std::string half_of(const std::string& name) { return name.starts_with("decoder.") ? "decoder." : ""; }

// Embeddings that the halves of an encoder-decoder may share.
constexpr const char* kShared[] = {"decoder.roformer.embeddings.word_embeddings.weight",
                                   "encoder.embeddings.word_embeddings.weight"};

// The names of a tensor in the source: its own, or those of tensors tied to it in transformers, or shared with it.
std::vector<std::string> source_names(const std::string& name, const StateDict& result) {
  const std::string half = half_of(name), bias = half + "cls.predictions.bias";
  const std::string decoder_bias = half + "cls.predictions.decoder.bias";
  // An untied decoder has its own bias; the unused one beside it is written as a copy.
  if (name == bias && result.contains(decoder_bias)) return {decoder_bias, name};
  if (name == bias) return {name, decoder_bias};
  if (name == decoder_bias) return {name, bias};
  std::vector<std::string> names{name};
  for (const auto& [decoder, words] : kTied) {
    if (name.ends_with(words)) names.push_back(half + decoder);
  }
  if (std::ranges::find(kShared, name) != std::end(kShared))
    names.insert(names.end(), std::begin(kShared), std::end(kShared));
  return names;
}

std::string reason_left_out(const std::string& name, const Tensor& tensor, const StateDict& result) {
  if (matches_pattern(name, kPositions)) return "computed from the positions";
  const std::string half = half_of(name);
  if (name == half + "cls.predictions.decoder.bias") return fmt::format("another name of {}cls.predictions.bias", half);
  const auto* const tied = std::ranges::find(kTied, name, [&](const auto& one) { return half + one.first; });
  if (tied == std::end(kTied)) return "not part of the model that config.json names";
  for (const auto& [other, words] : result) {
    if (other.starts_with(half) && other.ends_with(tied->second)) {
      return same_bits(words, as_float32(tensor)) ? "tied to the word embedding"
                                                  : "different from the word embedding it is tied to";
    }
  }
  return "tied to the word embedding";
}

}  // namespace

ConvertReport self_check(const StateDict& source, const std::string& directory) {
  const StateDict result = load_directory_weights(directory, {kPositions}).tensors;
  ConvertReport report;
  Hasher source_hash, result_hash;
  std::set<std::string> used;
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : result) {
    const std::vector<std::string> names = source_names(name, result);
    const auto from = std::find_if(names.begin(), names.end(), [&](const auto& one) { return source.contains(one); });
    if (from == names.end()) {
      problems.push_back(fmt::format("{} is not in the source", quote(name)));
      continue;
    }
    used.insert(*from);
    const Tensor original = as_float32(source.at(*from));
    if (!same_bits(original, tensor)) problems.push_back(fmt::format("{} differs from the source", quote(name)));
    add_to_hash(source_hash, name, original);
    add_to_hash(result_hash, name, tensor);
    ++report.tensors;
    report.numbers += tensor.elements();
  }
  if (!problems.empty()) {
    std::string message;
    for (size_t i = 0; i < std::min(problems.size(), kMaxProblems); ++i) message += "\n  " + problems[i];
    throw DataError("the self-check failed, nothing was written: {} of {} tensors:{}", problems.size(), result.size(),
                    message);
  }
  for (const auto& [name, tensor] : source) {
    if (!used.contains(name)) report.left_out.push_back({name, reason_left_out(name, tensor, result)});
  }
  report.source_hash = source_hash.hex();
  report.result_hash = result_hash.hex();
  return report;
}

}  // namespace roformer
