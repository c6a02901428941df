// Marian (Junczys-Dowmunt et al. 2018), as OPUS-MT publishes it and transformers' MarianMTModel computes it: the
// encoder-decoder of Vaswani et al. 2017, to which the paper's Table 1 compares. Post-norm; embeddings are multiplied
// by √d and not normed; sinusoids, which files do not hold (sines in the first half); a bias per token.
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/families/family.h"

namespace roformer {

namespace {

constexpr std::string_view kMarianTypes[] = {"marian"};
constexpr Architecture kMarianArchitectures[] = {{"MarianModel", Head::none}, {"MarianMTModel", Head::causal_lm}};
constexpr StackNorms kMarianNorms{.sublayer = {.sum = true}};
constexpr double kMarianEpsilon = 1e-5;  // of torch's LayerNorm

constexpr std::array<TensorRule, 26> marian_tensors(const char* words) {
  return {{{"embeddings.words.weight", words},
           {"encoder.embeddings.words.weight", ".encoder.embed_tokens.weight"},
           {"encoder.layers.*.attention.query.*", ".encoder.layers.*.self_attn.q_proj.*"},
           {"encoder.layers.*.attention.key.*", ".encoder.layers.*.self_attn.k_proj.*"},
           {"encoder.layers.*.attention.value.*", ".encoder.layers.*.self_attn.v_proj.*"},
           {"encoder.layers.*.attention.output.*", ".encoder.layers.*.self_attn.out_proj.*"},
           {"encoder.layers.*.attention.norm.*", ".encoder.layers.*.self_attn_layer_norm.*"},
           {"encoder.layers.*.feed_forward.up.*", ".encoder.layers.*.fc1.*"},
           {"encoder.layers.*.feed_forward.down.*", ".encoder.layers.*.fc2.*"},
           {"encoder.layers.*.feed_forward.norm.*", ".encoder.layers.*.final_layer_norm.*"},
           {"layers.*.attention.query.*", ".decoder.layers.*.self_attn.q_proj.*"},
           {"layers.*.attention.key.*", ".decoder.layers.*.self_attn.k_proj.*"},
           {"layers.*.attention.value.*", ".decoder.layers.*.self_attn.v_proj.*"},
           {"layers.*.attention.output.*", ".decoder.layers.*.self_attn.out_proj.*"},
           {"layers.*.attention.norm.*", ".decoder.layers.*.self_attn_layer_norm.*"},
           {"layers.*.cross_attention.query.*", ".decoder.layers.*.encoder_attn.q_proj.*"},
           {"layers.*.cross_attention.key.*", ".decoder.layers.*.encoder_attn.k_proj.*"},
           {"layers.*.cross_attention.value.*", ".decoder.layers.*.encoder_attn.v_proj.*"},
           {"layers.*.cross_attention.output.*", ".decoder.layers.*.encoder_attn.out_proj.*"},
           {"layers.*.cross_attention.norm.*", ".decoder.layers.*.encoder_attn_layer_norm.*"},
           {"layers.*.feed_forward.up.*", ".decoder.layers.*.fc1.*"},
           {"layers.*.feed_forward.down.*", ".decoder.layers.*.fc2.*"},
           {"layers.*.feed_forward.norm.*", ".decoder.layers.*.final_layer_norm.*"},
           {"head.output.weight", "lm_head.weight"},
           {"head.bias", "final_logits_bias", Arrangement::row},
           {"head.output.bias", "final_logits_bias", Arrangement::row}}};
}
constexpr auto kShared = marian_tensors(".shared.weight"), kSeparate = marian_tensors(".decoder.embed_tokens.weight");

// Files may name shared embeddings by any of their users, and hold them where they are not said to be shared.
constexpr Spelling kSharedSpellings[] = {{"model.shared.weight", "model.decoder.embed_tokens.weight"},
                                         {"model.shared.weight", "model.encoder.embed_tokens.weight"}};
constexpr Spelling kSeparateSpellings[] = {{"model.decoder.embed_tokens.weight", "model.shared.weight"},
                                           {"model.encoder.embed_tokens.weight", "model.shared.weight"}};
constexpr const char* kMarianSigns[] = {"*encoder_attn_layer_norm.weight"};
constexpr const char* kMarianIgnored[] = {"*embed_positions.weight"};
constexpr const char* kMarianHeadTensors[] = {"lm_head.*", "final_logits_bias"};

// What both halves have.
void read_half(const JsonObject& json, const std::string& half, ModelConfig& config) {
  config.layers = json.get_int(half + "_layers", 12);
  config.heads = json.get_int(half + "_attention_heads", 16);
  config.intermediate = json.get_int(half + "_ffn_dim", 4096);
  config.hidden = config.embedding = json.get_int("d_model", 1024);
  config.activation = parse_name(json, "activation_function", kActivations, "gelu");
  config.hidden_dropout = json.get_double("dropout", 0.1);
  config.attention_dropout = json.get_double("attention_dropout", 0);
  config.initializer_range = json.get_double("init_std", 0.02);
  config.max_positions = json.get_int("max_position_embeddings", 1024);
  const bool scaled = json.get_bool("scale_embedding", false);
  config.embedding_scale = scaled ? std::sqrt(static_cast<double>(std::max<int64_t>(1, config.hidden))) : 1;
  config.pad_id = json.get_int("pad_token_id", 58100);
  config.segments = 0;
  config.norms = kMarianNorms;
  config.norm_epsilon = kMarianEpsilon;
  config.position = SinusoidalPosition{};
}

void write_half(const ModelConfig& config, const std::string& half, Json& json) {
  json[half + "_layers"] = config.layers;
  json[half + "_attention_heads"] = config.heads;
  json[half + "_ffn_dim"] = config.intermediate;
}

void read_marian(const JsonObject& json, ModelConfig& config) {
  read_half(json, "decoder", config);
  config.attention_mask = AttentionMask::causal;
  config.cross_attention = true;
  const int64_t vocabulary = json.get_int("vocab_size", 58101);
  config.vocabulary = json.get_int("decoder_vocab_size", vocabulary);
  const bool shares = json.get_bool("share_encoder_decoder_embeddings", true);
  if (shares && config.vocabulary != vocabulary) {
    json.reject("decoder_vocab_size", fmt::format("vocab_size {}, as the embeddings are shared", vocabulary));
  }
  config.tied = json.get_bool("tie_word_embeddings", true);
  config.shared_words = shares && config.tied;  // untied ones are separate in transformers, too
  config.start_id = json.get_int("decoder_start_token_id", 58100);
  if (json.has("bos_token_id")) config.bos_id = json.get_int("bos_token_id", std::nullopt);
  config.eos_ids = {json.get_int("eos_token_id", 0)};
  ModelConfig encoder;
  read_half(json, "encoder", encoder);
  encoder.vocabulary = vocabulary;
  encoder.head = Head::none;
  config.encoder = std::make_shared<const ModelConfig>(std::move(encoder));
  config.family = config.shared_words ? &families::marian : &families::marian_separate;
}

void write_marian(const ModelConfig& config, Json& json) {
  json["model_type"] = "marian";
  json["is_encoder_decoder"] = true;
  write_half(*config.encoder, "encoder", json);
  write_half(config, "decoder", json);
  json["d_model"] = config.hidden;
  json["activation_function"] = name_in(kActivations, config.activation);
  json["dropout"] = config.hidden_dropout;
  json["attention_dropout"] = config.attention_dropout;
  json["init_std"] = config.initializer_range;
  json["max_position_embeddings"] = config.max_positions;
  json["scale_embedding"] = config.embedding_scale != 1;
  json["vocab_size"] = config.encoder->vocabulary;
  json["decoder_vocab_size"] = config.vocabulary;
  json["share_encoder_decoder_embeddings"] = config.shared_words;
  json["tie_word_embeddings"] = config.tied;
  json["pad_token_id"] = config.pad_id;
  json["decoder_start_token_id"] = config.start_id.value_or(config.pad_id);
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  json["eos_token_id"] = json["forced_eos_token_id"] = config.eos_ids.front();
}

void marian_keys(ConfigKeys& keys, ModelConfig& config) {
  keys.others(
      {"model_type",
       "is_encoder_decoder",
       "encoder_layers",
       "encoder_attention_heads",
       "encoder_ffn_dim",
       "decoder_layers",
       "decoder_attention_heads",
       "decoder_ffn_dim",
       "d_model",
       "activation_function",
       "dropout",
       "attention_dropout",
       "init_std",
       "max_position_embeddings",
       "scale_embedding",
       "vocab_size",
       "decoder_vocab_size",
       "share_encoder_decoder_embeddings",
       "tie_word_embeddings",
       "pad_token_id",
       "decoder_start_token_id",
       "bos_token_id",
       "eos_token_id",
       "forced_eos_token_id"},
      [&](const JsonObject& json) { read_marian(json, config); }, [&](Json& json) { write_marian(config, json); });
  // Settings of generation (generation/), of other training, and of BART, from which transformers' Marian came: it
  // reads none of these.
  keys.ignored({"architectures",
                "_name_or_path",
                "_num_labels",
                "activation_dropout",
                "add_bias_logits",
                "add_final_layer_norm",
                "bad_words_ids",
                "classif_dropout",
                "classifier_dropout",
                "decoder_layerdrop",
                "do_blenderbot_90_layernorm",
                "dtype",
                "encoder_layerdrop",
                "extra_pos_embeddings",
                "force_bos_token_to_be_generated",
                "gradient_checkpointing",
                "id2label",
                "is_decoder",
                "label2id",
                "length_penalty",
                "max_length",
                "model_max_length",
                "normalize_before",
                "normalize_embedding",
                "num_beams",
                "num_hidden_layers",
                "output_past",
                "static_position_embeddings",
                "torch_dtype",
                "transformers_version",
                "use_cache"});
}

void complete_marian(ModelConfig& config, const std::string& source) {
  config.head_transform = false;
  config.output_bias = true;
  if (config.encoder == nullptr || (config.head != Head::none && config.head != Head::causal_lm)) {
    refuse_config(source, "a Marian is an encoder-decoder with a language-model head");
  }
  check_range(source, KeyName("decoder_start_token_id"), config.start_id.value_or(0), 0, config.vocabulary - 1);
  const ModelConfig& encoder = *config.encoder;
  const double scale = std::sqrt(static_cast<double>(config.hidden));
  for (const ModelConfig* half : {&std::as_const(config), &encoder}) {
    const auto* position = std::get_if<SinusoidalPosition>(&half->position);
    if (position == nullptr || *position != SinusoidalPosition{}) {
      refuse_config(source, "a Marian has sinusoidal positions with sines in the first half, not {}",
                    position_name(half->position));
    }
    if (half->norms != kMarianNorms || half->norm != NormKind::layer || half->norm_epsilon != kMarianEpsilon ||
        half->gated || !half->biased || half->has_linear_attention() || half->segments != 0 ||
        half->embedding != half->hidden || (half->embedding_scale != 1 && half->embedding_scale != scale)) {
      refuse_config(source, "a Marian is post-norm with biases, and without token types, gates and linear attention");
    }
  }
}

constexpr Family marian_family(std::span<const TensorRule> tensors, std::span<const Spelling> spellings) {
  return {.name = "marian",
          .model_types = kMarianTypes,
          .architectures = kMarianArchitectures,
          .trunk = "model",
          .signs = kMarianSigns,
          .tensors = tensors,
          .spellings = spellings,
          .ignored = kMarianIgnored,
          .head_tensors = kMarianHeadTensors,
          .keys = marian_keys,
          .complete = complete_marian,
          .causal_setting = "marian, an encoder-decoder"};
}

}  // namespace

constinit const Family families::marian = marian_family(kShared, kSharedSpellings);
// The same with an embedding matrix for each half.
constinit const Family families::marian_separate = marian_family(kSeparate, kSeparateSpellings);

}  // namespace roformer
