// Scores of given translations, as the search would give them.
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/json.h"
#include "cli/parallel_lines.h"
#include "cli/translate.h"

namespace roformer {

void score_translations(const TranslateOptions& options, const TranslationEngine& engine) {
  ParallelLines given(options.run.texts, options.targets, "a translation");
  const TranslatorOptions& how = engine.translator.options();
  const auto answer = [&](const TextBatch& batch, std::string& lines) {
    std::vector<std::vector<int32_t>> sources, targets;
    for (const TextItem& item : batch.items) {
      sources.push_back(item.sequences.front().ids);
      targets.push_back(engine.tokenizers.target->encode(given.next()).ids);
    }
    const auto logs = engine.translator.score(sources, targets);
    std::vector<double> coverage(logs.size());
    if (how.coverage_penalty > 0) coverage = engine.translator.coverage(sources, targets);
    append_lines(engine.session.pool(), logs.size(), lines, [&](size_t i, std::string& line) {
      const double sum = std::accumulate(logs[i].begin(), logs[i].end(), 0.0);
      const double score = hypothesis_score(sum, logs[i].size(), how.length_penalty, how.penalty_kind) + coverage[i];
      line = options.run.json ? dump_json({{"score", score}, {"log_probability", sum}, {"tokens", logs[i].size()}})
                              : fmt::format("{:.6f}", score);
    });
  };
  answer_texts("translate", options.run, engine.session, encode_text(*engine.tokenizers.source, {}), answer);
  given.finish();
}

}  // namespace roformer
