// Published files, as counted with Python's csv and json.
#include <cstdlib>
#include <filesystem>
#include <map>

#include "data/labeled/split.h"
#include "tests/data/labeled/labeled_files.h"

namespace roformer {
namespace {

struct Published {
  const char* task;
  const char* path;
  size_t examples, notices;
  std::map<std::string, size_t> labels;  // how many examples have each; not those of token classification
};

const std::vector<Published> kPublished = {
    {"cola", "glue/CoLA/in_domain_train.tsv", 8551, 0, {{"0", 2528}, {"1", 6023}}},
    {"sst-2", "glue/SST-2/train.tsv", 60614, 0, {{"negative", 26786}, {"positive", 33828}}},
    {"mrpc", "glue/MRPC/train.tsv", 2576, 0, {{"0", 823}, {"1", 1753}}},
    {"mrpc", "glue/MRPC/test.tsv", 1725, 0, {{"0", 578}, {"1", 1147}}},
    {"sts-b", "glue/STS-B/sts-train.csv", 5749, 0, {}},
    {"qqp", "glue/QQP/quora-dev.csv", 20212, 2, {{"0", 12627}, {"1", 7585}}},
    {"qnli", "glue/QNLI/test.tsv", 5463, 0, {{"entailment", 2702}, {"not_entailment", 2761}}},
    {"rte", "glue/RTE/train.tsv", 2490, 0, {{"entailment", 1249}, {"not_entailment", 1241}}},
    {"rte", "glue/RTE/sjtu_train.tsv", 2241, 0, {{"entailment", 1124}, {"not_entailment", 1117}}},
    {"rte", "glue/RTE/test.tsv", 3000, 0, {}},
    {"wnli", "glue/WNLI/train.tsv", 565, 0, {{"0", 288}, {"1", 277}}},
    {"sick", "glue/SICK/SICK.txt", 9927, 0, {{"entailment", 2857}, {"neutral", 5611}, {"contradiction", 1459}}},
    {"mnli", "mnli_1k/mnli_matched.tsv", 1000, 0, {{"entailment", 373}, {"neutral", 311}, {"contradiction", 316}}},
    {"conll2003", "ner/conll2003/train.txt", 14041, 0, {}},
    {"cluener", "ner/cluener/train.json", 10748, 1, {}},
    {"afqmc", "zh_tasks/AFQMC/train.txt", 34334, 0, {{"0", 23761}, {"1", 10573}}},
    {"afqmc", "zh_tasks/AFQMC/test.txt", 3861, 0, {}},
    {"ocnli", "zh_tasks/OCNLI/dev.json", 2950, 1, {{"entailment", 947}, {"neutral", 1103}, {"contradiction", 900}}},
    {"chnsenticorp", "zh_tasks/ChnSentiCorp/train.tsv", 9600, 0, {{"negative", 4801}, {"positive", 4799}}},
    {"csl", "fewclue/csl.test_public.json", 2838, 0, {{"0", 1419}, {"1", 1419}}},
    {"chid", "fewclue/chid.test_public.json", 2002, 0, {}},
    {"cluewsc", "fewclue/cluewsc.test_public.json", 976, 0, {{"false", 488}, {"true", 488}}},
    {"c3", "zh_reading/c3/c3-m-train.json", 6013, 0, {}},
    {"cmrc2018", "zh_reading/cmrc2018_dev.json", 3219, 2, {}},
    {"drcd", "zh_reading/DRCD_dev.json", 3524, 0, {}},
    {"cail2019-scm", "cail2019_scm/input_500.txt", 500, 0, {}},
};

TEST(PublishedFiles, AreReadAsCounted) {
  const char* variable = std::getenv("ROFORMER_SHARED");
  const std::string shared = variable ? variable : ROFORMER_SOURCE_DIR "/../shared";
  const std::string script = shared + "/data/unpack.sh";
  if (!std::filesystem::exists(script)) GTEST_SKIP() << script << " is absent (set ROFORMER_SHARED)";
  TempDirectory directory;
  const std::string command = "bash '" + script + "' '" + directory.path() +
                              "' glue mnli_1k ner zh_tasks zh_reading fewclue cail2019_scm > /dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "cannot unpack the files";
  for (const Published& file : kPublished) {
    SCOPED_TRACE(file.path);
    const Task& task = find_task(file.task);
    const LabeledData data = read_examples(task, directory / file.path);
    EXPECT_EQ(data.examples.size(), file.examples);
    EXPECT_EQ(data.notices.size(), file.notices) << testing::PrintToString(data.notices);
    std::map<std::string, size_t> labels;
    if (task.kind == TaskKind::classification) {
      for (const Example& example : data.examples) {
        for (const std::string& label : example.labels) ++labels[label];
      }
    }
    EXPECT_EQ(labels, file.labels);
    if (task.kind != TaskKind::triplet) continue;
    for (const ExampleSplit& fold : disjoint_folds(data.examples, 5, 1)) {
      EXPECT_GT(fold.train.size(), 250u);
      EXPECT_GT(fold.validation.size(), 10u);
    }
  }
}

}  // namespace
}  // namespace roformer
