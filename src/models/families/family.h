// A family of models as its files have it: keys of config.json, names of architectures and tensors, how tensors lie in
// a file. Nothing else: what a model computes are values of ModelConfig, so a family is a table of values, too, in a
// file of its own. A class a family was rejected, because it would invite computing there.
//
// A new family: a file beside this one that defines its Family, and its line in kFamilies (family.cc).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/config.h"
#include "models/config_keys.h"
#include "models/refuse.h"
#include "tensor/tensor.h"

namespace roformer {

struct Architecture {
  const char* name;  // in "architectures"
  Head head;
};

// How a parameter lies in the tensor that a file has it in.
enum class Arrangement {
  whole,
  stacked,  // several, one below the other: [q; k; v]
  by_head   // of each head its rows of the first, then of the second, …: [heads, (q, k, v), head size]
};

// '*' stands for any text, the same in both names. Of several rules that fit the first counts.
struct TensorRule {
  const char* ours;    // "layers.*.attention.query.*" (nn/parameters.h)
  const char* theirs;  // "lm_head.weight", or behind the trunk's name: ".layers.*.self_attn.q_proj.*"
  Arrangement arrangement = Arrangement::whole;
  int part = 0, parts = 1;  // of the file's tensor
  double offset = 0;        // what a file leaves away: its numbers plus this are ours
};

// Another name that files have for a tensor.
struct Spelling {
  const char *theirs, *other;
  bool outdated = false;  // never written
};

struct Family {
  const char* name;  // as config.json's "model_type" has it, and as people are told of it
  std::span<const std::string_view> model_types;
  std::span<const Architecture> architectures;  // the first of a head is the one written
  const char* trunk;                            // "roformer": files of a trunk alone may leave it out of names
  std::span<const TensorRule> tensors;
  std::span<const Spelling> spellings = {};
  std::span<const char* const> ignored;       // patterns of tensors without influence
  std::span<const char* const> head_tensors;  // patterns of what a trunk leaves aside in a file with a head

  // All keys but "architectures".
  void (*keys)(ConfigKeys& keys, ModelConfig& config);
  // What follows from the head, and a DataError or UsageError (complete() of models/config.h) for what no file of this
  // family can say.
  void (*complete)(ModelConfig& config, const std::string& source);
  // What only the names of a file's tensors tell. `has` knows names with and without the trunk's.
  void (*complete_from_names)(ModelConfig& config, const std::function<bool(const std::string&)>& has) = nullptr;
  // Tensors that other programs look for beside the parameters.
  void (*add_tensors)(const ModelConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) = nullptr;

  // Whose files can say any encoding of positions; its positions are fixed where that is another.
  const Family* any_positions = nullptr;
  const char* causal_setting;  // what makes a model of it causal, for errors
};

namespace families {
extern const Family roformer, bert, llama, gpt_neox;
}

// nullptr if there is none.
const Family* find_family(std::string_view model_type);
struct FoundArchitecture {
  const Family* family = nullptr;
  Head head = Head::none;
};
FoundArchitecture find_architecture(std::string_view name);
std::vector<std::string> architecture_names();
std::vector<std::string> model_types();  // the first of each family

// The rule of a parameter; its name in files follows. Every parameter of every model has one.
const TensorRule& rule_of(const Family& family, const std::string& ours);
std::string name_in_files(const Family& family, const std::string& ours);
// Other names of it, in the order in which they are looked for.
std::vector<std::string> other_names(const Family& family, const std::string& theirs);
// The name under which this program writes a tensor that a file calls `name`: with the trunk's, in the first spelling.
std::string canonical_name(const Family& family, const std::string& name);

// name = pattern with what the stars of `from` stand for in those of `to`; empty if it does not match.
std::string renamed(std::string_view name, std::string_view from, std::string_view to);

}  // namespace roformer
