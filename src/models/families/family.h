// The file format of a model family: keys of config.json, names of architectures and tensors, and tensor layouts, as a
// table of values in a file of its own. Values of ModelConfig alone determine what a model computes; a class per family
// was rejected because it would invite computation there.
//
// To add a family, define its Family in a new file here and list it in kFamilies (family.cc).
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

// The layout of a parameter within a file's tensor.
enum class Arrangement {
  whole,
  row,      // a vector as a matrix of one row
  stacked,  // several, concatenated by rows: [q; k; v]
  by_head   // several, interleaved by head: [heads, (q, k, v), head size]
};

// '*' stands for any text, the same in both names. The first matching rule applies.
struct TensorRule {
  const char* ours;    // "layers.*.attention.query.*" (nn/parameters.h)
  const char* theirs;  // "lm_head.weight", or after the trunk's name: ".layers.*.self_attn.q_proj.*"
  Arrangement arrangement = Arrangement::whole;
  int part = 0, parts = 1;  // of the file's tensor
};

// An alternative name of a tensor in files.
struct Spelling {
  const char *theirs, *other;
  bool outdated = false;  // never written
};

struct Family {
  const char* name;  // for "model_type" of config.json and messages
  std::span<const std::string_view> model_types;
  std::span<const Architecture> architectures;  // the first with a head is the one written
  const char* trunk;                            // prefix "roformer", optional in files of a trunk alone; or ""
  std::span<const char* const> signs;           // patterns of tensor names that only this family's files have
  std::span<const TensorRule> tensors;
  std::span<const Spelling> spellings = {};
  std::span<const char* const> ignored;       // patterns of tensors to ignore
  std::span<const char* const> head_tensors;  // patterns of head tensors, ignored by a trunk

  // All keys but "architectures".
  void (*keys)(ConfigKeys& keys, ModelConfig& config);
  // Sets values implied by the head; DataError or UsageError (see complete() of models/config.h) for values that the
  // family's files cannot express.
  void (*complete)(ModelConfig& config, const std::string& source);
  // For training, whose weights are float32 whatever the file's are: sets values that depend on their type. Null: there
  // are none.
  void (*widen)(ModelConfig& config) = nullptr;
  // Sets values implied by tensor names only. `has` accepts names with and without the trunk's prefix.
  void (*complete_from_names)(ModelConfig& config, const std::function<bool(const std::string&)>& has) = nullptr;
  // What a known key of a file holds without influence, for a warning ("encoder.foo"); null: unread_rotary_keys().
  std::vector<std::string> (*unread)(const JsonObject& json, std::string_view key) = nullptr;
  // Adds tensors that other programs expect beside the parameters.
  void (*add_tensors)(const ModelConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) = nullptr;

  // The family to use instead for other position encodings.
  const Family* any_positions = nullptr;
  const char* causal_setting;  // setting that makes a model causal, for errors
};

namespace families {
extern const Family roformer, bert, marian, marian_separate;
extern const Family llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3, gpt_neox, gptj, gpt_neo;
// With an object of config.json for each half: of two RoFormers as transformers has them, and this project's own.
extern const Family encoder_decoder, translator;
}  // namespace families

// nullptr if there is none.
const Family* find_family(std::string_view model_type);
// A null family if there is none.
ModelKind find_architecture(std::string_view name);
std::vector<std::string> architecture_names();
std::vector<std::string> model_types();  // the first of each family
std::span<const Family* const> all_families();

// The rule of a parameter, and its name in files. Every parameter of every model has one.
const TensorRule& rule_of(const Family& family, const std::string& ours);
std::string name_in_files(const Family& family, const std::string& ours);
// Alternative names, in order of preference.
std::vector<std::string> other_names(const Family& family, const std::string& theirs);
// The name that this program writes for a file's tensor `name`: with the trunk's prefix and in the first spelling.
std::string canonical_name(const Family& family, const std::string& name);

// Our name of the parameter that a file's tensor `name` holds, or the first of several; empty if it holds none.
std::string our_name(const Family& family, const std::string& name);
// Whether a parameter, by our name, is the trunk's: not a head's or the pooler's.
bool is_of_trunk(std::string_view ours);
// Whether a parameter, by our name, is a position encoding's.
bool is_of_positions(std::string_view ours);

// Matches `name` with `from` and substitutes its stars in `to`; empty if there is no match.
std::string renamed(std::string_view name, std::string_view from, std::string_view to);

}  // namespace roformer
