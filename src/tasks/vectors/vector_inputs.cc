#include "tasks/vectors/vector_inputs.h"

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"

namespace roformer {

std::vector<std::string> cut_notices(const VectorInputs& inputs, const std::string& file) {
  if (inputs.cut == 0) return {};
  return {fmt::format("{}: {} longer than the maximum length and cut", file, counted(inputs.cut, "example"))};
}

VectorInputs encode_vector_inputs(std::span<const Example> examples, const std::string& file,
                                  const Tokenizer& tokenizer, const TextPreparation& preparation, ThreadPool& pool) {
  const ItemEncoder encode = encode_text(tokenizer, preparation);
  struct One {
    std::vector<Encoding> texts;
    std::exception_ptr error;
  };
  std::vector<One> all(examples.size());
  pool.run(std::ssize(examples), [&](int64_t i) {
    One& one = all[static_cast<size_t>(i)];
    try {
      for (const std::string& text : examples[static_cast<size_t>(i)].texts) {
        one.texts.push_back(std::move(encode(text).front()));
        one.texts.back().offsets = {};
        if (one.texts.back().ids.empty()) throw DataError("the text {} has no tokens", quote(text));
      }
    } catch (const Error&) {
      one.error = std::current_exception();
    }
  });
  VectorInputs inputs;
  std::map<std::vector<int32_t>, int32_t> indices;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].error) {
      try {
        std::rethrow_exception(all[i].error);
      } catch (const DataError& error) {
        throw DataError("{}:{}: {}", FilePath(file), LineNumber(examples[i].line), error.what());
      }
    }
    std::vector<int32_t>& example = inputs.examples.emplace_back();
    bool cut = false;
    for (Encoding& text : all[i].texts) {
      cut = cut || text.cut > 0;
      const auto [found, added] = indices.try_emplace(text.ids, static_cast<int32_t>(inputs.texts.size()));
      if (added) inputs.texts.push_back(std::move(text));
      example.push_back(found->second);
    }
    inputs.cut += cut ? 1 : 0;
  }
  return inputs;
}

std::vector<std::vector<int32_t>> find_partners(const VectorInputs& inputs) {
  std::vector<std::vector<int32_t>> partners(inputs.texts.size());
  for (const std::vector<int32_t>& example : inputs.examples) {
    partners[static_cast<size_t>(example[0])].push_back(example[1]);
    partners[static_cast<size_t>(example[1])].push_back(example[0]);
  }
  for (std::vector<int32_t>& one : partners) {
    std::ranges::sort(one);
    one.erase(std::unique(one.begin(), one.end()), one.end());
  }
  return partners;
}

}  // namespace roformer
