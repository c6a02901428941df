#include "data/labeled/tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/base/error_detail.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Tasks, AreFoundHoweverTheyAreSpelled) {
  for (const char* name : {"sst-2", "SST-2", "sst2", "SST_2"}) EXPECT_EQ(find_task(name).name, "sst-2") << name;
  EXPECT_EQ(find_task("CAIL2019_SCM").kind, TaskKind::triplet);
  for (const std::string& name : task_names()) EXPECT_EQ(find_task(name).name, name);
}

TEST(Tasks, AnUnknownOneNamesTheNearest) {
  EXPECT_THAT(message_of<UsageError>([] { find_task("mrcp"); }), HasSubstr("'mrcp'; did you mean mrpc?"));
  EXPECT_THAT(message_of<UsageError>([] { find_task("translation-of-poems"); }), Not(HasSubstr("did you mean")));
  EXPECT_THAT(message_of<UsageError>([] { find_task(std::string(100'000, 'x')); }), HasSubstr("expected one of"));
  EXPECT_THAT(message_of<UsageError>([] { find_task(""); }), HasSubstr("expected one of classification"));
  EXPECT_EQ(detail_of<UsageError>([] { find_task("x"); }).field, "task");
}

TEST(Tasks, AreConsistent) {
  std::set<std::string> names;
  for (const Task& task : all_tasks()) {
    SCOPED_TRACE(task.name);
    EXPECT_TRUE(names.insert(task.name).second);
    EXPECT_THAT(task.title, Not(IsEmpty()));
    EXPECT_THAT(task.columns, Not(IsEmpty()));
    EXPECT_THAT(task.metrics, Not(IsEmpty()));
    EXPECT_EQ(task.source.empty(), task.language.empty());  // the user's own files, in any language
    EXPECT_LE(task.least_texts, task.most_texts);
    EXPECT_EQ(std::set(task.labels.begin(), task.labels.end()).size(), task.labels.size());
    for (const Positions& positions : task.positions) {
      EXPECT_EQ(static_cast<int>(positions.texts.size()), task.least_texts);
      for (const int column : positions.texts) EXPECT_LE(column, positions.fields);
      EXPECT_LE(positions.label, positions.fields);
    }
    EXPECT_STRNE(kind_name(task.kind), "");
  }
}

TEST(Tasks, MeasureWhatTheirPapersDo) {
  EXPECT_THAT(find_task("cola").metrics, ElementsAre("matthews", "accuracy"));
  EXPECT_THAT(find_task("mrpc").metrics, ElementsAre("f1", "accuracy"));
  EXPECT_THAT(find_task("sts-b").metrics, ElementsAre("spearman", "pearson"));
  EXPECT_EQ(find_task("conll2003").metrics.front(), "f1");
  EXPECT_EQ(find_task("mnli").labels.size(), 3u);
  EXPECT_EQ(find_task("tnews").labels.size(), 15u);
  EXPECT_EQ(find_task("iflytek").labels.size(), 119u);
}

}  // namespace
}  // namespace roformer
