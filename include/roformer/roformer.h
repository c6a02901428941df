/* The C interface of libroformer: the classes of text_model.h and masked_language_trainer.h for C and everything that
 * can call C. C99; also good C++.
 *
 * Texts are UTF-8 and come with their length in bytes, or ROFORMER_NUL_TERMINATED.
 * Functions that can fail return a roformer_status, and describe what was wrong in *error where that is not NULL; they
 * touch their other outputs only when they succeed. No C++ exception leaves the library.
 * Results belong to the caller, who frees each with the function named after its type; free functions take NULL.
 * Pointers inside a result live as long as it does.
 * Threads: any number of threads may use one roformer_model or roformer_tokenizer at once, but for freeing it. A
 * roformer_trainer serves one thread at a time. Signals: see docs/library.md. */
#ifndef ROFORMER_ROFORMER_H_
#define ROFORMER_ROFORMER_H_

#include <stddef.h>
#include <stdint.h>

#include "roformer/export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROFORMER_NUL_TERMINATED ((size_t)-1)

typedef enum roformer_status {
  ROFORMER_OK = 0,
  ROFORMER_USAGE_ERROR = 1, /* a NULL where an object is needed, an invalid setting */
  ROFORMER_DATA_ERROR = 2,  /* invalid content of a file or a text */
  ROFORMER_FILE_ERROR = 3,  /* no such file, no permission, no space */
  ROFORMER_OUT_OF_MEMORY = 4,
  ROFORMER_INTERNAL_ERROR = 5, /* anything else: a defect of the library */
  ROFORMER_INTERRUPTED = 6     /* a stop was requested; everything is as it was before the call */
} roformer_status;

/* One line that says what, where and what was expected; cut between two characters if it is longer than this. */
typedef struct roformer_error {
  roformer_status status;
  char message[1024]; /* ends with a NUL; empty after success */
} roformer_error;

/* What the last call of this thread that failed was about, for programs; the message says the same in words. */
typedef enum roformer_error_detail {
  ROFORMER_ERROR_FIELD = 0,  /* of the options: "max_length" */
  ROFORMER_ERROR_PATH = 1,   /* a file or directory */
  ROFORMER_ERROR_KEY = 2,    /* of a JSON file: "hidden_size" */
  ROFORMER_ERROR_TENSOR = 3, /* by its name in the file */
  ROFORMER_ERROR_LINE = 4    /* of the file or text, from 1, in digits */
} roformer_error_detail;

/* NUL-terminated, and valid until the thread's next call; empty where it does not apply. */
ROFORMER_EXPORT const char* roformer_last_error(roformer_error_detail detail);

/* The version the program runs with, "0.1.0". */
ROFORMER_EXPORT const char* roformer_version(void);

/* ---- Stopping ---- */

/* Ends calls from another thread: those on the models and trainers that were opened with it return
 * ROFORMER_INTERRUPTED soon after roformer_stop_request, and so do all later ones until roformer_stop_reset. One may
 * serve any number of them, in any thread, and may be freed before they are. Not for signal handlers. */
typedef struct roformer_stop roformer_stop;

ROFORMER_EXPORT roformer_stop* roformer_stop_new(void); /* NULL: out of memory */
ROFORMER_EXPORT void roformer_stop_request(roformer_stop* stop);
ROFORMER_EXPORT void roformer_stop_reset(roformer_stop* stop);
ROFORMER_EXPORT void roformer_stop_free(roformer_stop* stop);

/* ---- Tokens ---- */

/* A file of a directory in memory. `name` is its name in the directory: "config.json", "1_Pooling/config.json". */
typedef struct roformer_file {
  const char* name;
  const void* data;
  size_t size; /* of the data in bytes */
} roformer_file;

typedef struct roformer_tokenizer roformer_tokenizer;

/* Opens a tokenizer directory, or the files of one, which are not needed afterwards. */
ROFORMER_EXPORT roformer_status roformer_tokenizer_open(const char* directory, roformer_tokenizer** tokenizer,
                                                        roformer_error* error);
ROFORMER_EXPORT roformer_status roformer_tokenizer_open_memory(const roformer_file* files, size_t count,
                                                               roformer_tokenizer** tokenizer, roformer_error* error);
ROFORMER_EXPORT void roformer_tokenizer_free(roformer_tokenizer* tokenizer);

typedef struct roformer_tokens {
  size_t count;
  const char* const* tokens;  /* [count], NUL-terminated; one that contains a NUL (byte tokenizer) appears shorter */
  const int32_t* ids;         /* [count] */
  const int32_t* segment_ids; /* [count] 0 for the text, 1 for the pair */
  const int64_t* offsets;     /* [count][2] begin and end in code points of the text; 0, 0 for special tokens */
} roformer_tokens;

/* `pair` is a second text, or NULL. `max_length`: truncate to this many tokens, the longer text first; 0 = no limit. */
ROFORMER_EXPORT roformer_status roformer_tokenizer_encode(const roformer_tokenizer* tokenizer, const char* text,
                                                          size_t length, const char* pair, size_t pair_length,
                                                          int64_t max_length, roformer_tokens** tokens,
                                                          roformer_error* error);
ROFORMER_EXPORT void roformer_tokens_free(roformer_tokens* tokens);

typedef struct roformer_text {
  const char* text; /* NUL-terminated */
  size_t length;    /* in bytes */
} roformer_text;

/* Text of tokens; special tokens are left out unless `keep_special` is not 0. */
ROFORMER_EXPORT roformer_status roformer_tokenizer_decode(const roformer_tokenizer* tokenizer, const int32_t* ids,
                                                          size_t count, int keep_special, roformer_text** text,
                                                          roformer_error* error);
ROFORMER_EXPORT void roformer_text_free(roformer_text* text);

/* Tokens have the ids from 0 to this number - 1; 0 for NULL. */
ROFORMER_EXPORT int64_t roformer_tokenizer_size(const roformer_tokenizer* tokenizer);
/* NULL for an id that is not a token. It lives as long as the tokenizer. */
ROFORMER_EXPORT const char* roformer_tokenizer_token(const roformer_tokenizer* tokenizer, int32_t id);
/* -1 where there is no such token. */
ROFORMER_EXPORT int32_t roformer_tokenizer_id(const roformer_tokenizer* tokenizer, const char* token);
/* "[MASK]", or as the tokenizer writes it; NULL if it has none. */
ROFORMER_EXPORT const char* roformer_tokenizer_mask_token(const roformer_tokenizer* tokenizer);

/* ---- A model ---- */

/* Options of functions: a field of 0 or NULL means its default; start from the struct's _INIT. NULL for a struct means
 * all defaults. Fields are only ever added, at the end: `struct_size` tells the library which ones the program knows,
 * so that programs compiled against an older version continue to work. Without a struct_size (0), or with fields set
 * that the library does not know yet, ROFORMER_USAGE_ERROR. */

typedef struct roformer_model roformer_model;

typedef struct roformer_model_options {
  size_t struct_size;        /* sizeof(roformer_model_options) */
  int threads;               /* that compute, the calling one among them; default: one for each CPU it may use */
  const char* device;        /* "cpu" (default) or "reference" */
  int64_t max_length;        /* longer texts are truncated to this many tokens, except by fill_mask and generate;
                              * default: no truncation, but embed and similarity follow the directory */
  int64_t max_batch_tokens;  /* texts are batched up to this many tokens; default: 4096 */
  const char* dtype;         /* of matrix products: "float32" (default), "bfloat16" or "int8" */
  const roformer_stop* stop; /* ends calls on this model; default: nothing does */
} roformer_model_options;

#define ROFORMER_MODEL_OPTIONS_INIT \
  { sizeof(roformer_model_options), 0, NULL, 0, 0, NULL, NULL }

/* Opens a model directory, */
ROFORMER_EXPORT roformer_status roformer_model_open(const char* directory, const roformer_model_options* options,
                                                    roformer_model** model, roformer_error* error);
/* or the files of one in memory. Weights are used where they lie: the data must stay as they are as long as the model
 * exists. */
ROFORMER_EXPORT roformer_status roformer_model_open_memory(const roformer_file* files, size_t count,
                                                           const roformer_model_options* options,
                                                           roformer_model** model, roformer_error* error);
ROFORMER_EXPORT void roformer_model_free(roformer_model* model);
ROFORMER_EXPORT int64_t roformer_model_hidden_size(const roformer_model* model); /* 0 for NULL */
ROFORMER_EXPORT int64_t roformer_model_parameters(const roformer_model* model);  /* 0 for NULL */
/* Belongs to the model, and lives as long; do not free it. NULL for NULL. */
ROFORMER_EXPORT const roformer_tokenizer* roformer_model_tokenizer(const roformer_model* model);

typedef enum roformer_task {
  ROFORMER_FILL_MASK = 0,
  ROFORMER_CLASSIFY = 1,
  ROFORMER_LABEL_TOKENS = 2,
  ROFORMER_ANSWER = 3,
  ROFORMER_CHOOSE = 4,
  ROFORMER_GENERATE = 5 /* without an attention_mask of the options */
} roformer_task;

/* 1 if the model has the head for it, else 0. */
ROFORMER_EXPORT int roformer_model_can(const roformer_model* model, roformer_task task);
/* Of a classification head, in the order of its scores. NULL if `index` is not less than their number. */
ROFORMER_EXPORT const char* roformer_model_label(const roformer_model* model, size_t index);
/* Keys of config.json that the library does not know and that could matter: worth a warning. NULL if `index` is not
 * less than their number. */
ROFORMER_EXPORT const char* roformer_model_ignored_setting(const roformer_model* model, size_t index);
/* What is unusual about the directory and was made of it, a sentence each, ignored settings among them. NULL if `index`
 * is not less than their number. */
ROFORMER_EXPORT const char* roformer_model_warning(const roformer_model* model, size_t index);

/* By the model's tokenizer, without a limit. `pair` is a second text, or NULL. */
ROFORMER_EXPORT roformer_status roformer_tokenize(const roformer_model* model, const char* text, size_t length,
                                                  const char* pair, size_t pair_length, roformer_tokens** tokens,
                                                  roformer_error* error);

typedef struct roformer_matrix {
  size_t rows, columns;
  const float* values; /* [rows][columns] */
} roformer_matrix;

/* The last layer's output for a text: a row for each of its tokens, [CLS] and [SEP] included. */
ROFORMER_EXPORT roformer_status roformer_encode(const roformer_model* model, const char* text, size_t length,
                                                roformer_matrix** hidden_states, roformer_error* error);
/* The same for tokens of the caller's own. `segment_ids` may be NULL: all 0. */
ROFORMER_EXPORT roformer_status roformer_encode_ids(const roformer_model* model, const int32_t* ids,
                                                    const int32_t* segment_ids, size_t count,
                                                    roformer_matrix** hidden_states, roformer_error* error);

/* What the head computes, before any softmax. A row for each token: [vocabulary] of a language model, [labels] of token
 * classification, [2] (start, end) of question answering; one row: [labels] of sequence classification, [1] of multiple
 * choice. ROFORMER_DATA_ERROR for a model without a head. */
ROFORMER_EXPORT roformer_status roformer_logits(const roformer_model* model, const char* text, size_t length,
                                                roformer_matrix** logits, roformer_error* error);
ROFORMER_EXPORT roformer_status roformer_logits_of_ids(const roformer_model* model, const int32_t* ids,
                                                       const int32_t* segment_ids, size_t count,
                                                       roformer_matrix** logits, roformer_error* error);

typedef enum roformer_pooling {
  ROFORMER_POOLING_AUTO = 0,             /* the directory's setting, else the pooler for RoFormer-Sim, else mean */
  ROFORMER_POOLING_MEAN = 1,             /* of all tokens */
  ROFORMER_POOLING_CLS = 2,              /* the first token */
  ROFORMER_POOLING_MAX = 3,              /* the largest of each column */
  ROFORMER_POOLING_POOLER = 4,           /* the model's pooler over the first token; an error for a model without one */
  ROFORMER_POOLING_MEAN_SQRT_LENGTH = 5, /* the sum over all tokens / the square root of their number */
  ROFORMER_POOLING_WEIGHTED_MEAN = 6,    /* with the weights 1, 2, ... in the order of the tokens */
  ROFORMER_POOLING_LAST_TOKEN = 7        /* the last token */
} roformer_pooling;

typedef enum roformer_choice { ROFORMER_AUTO = 0, ROFORMER_YES = 1, ROFORMER_NO = 2 } roformer_choice;

typedef struct roformer_embedding_options {
  size_t struct_size; /* sizeof(roformer_embedding_options) */
  roformer_pooling pooling;
  roformer_choice normalize; /* to length 1; ROFORMER_AUTO: the directory's setting, else no */
  /* What stands before each text: a text ("": nothing), or the name of a prompt of the directory. Both NULL: its
   * default prompt. */
  const char *prompt, *prompt_name;
  int64_t dimensions; /* only the first ones of each vector; 0: all, or as many as the directory says */
} roformer_embedding_options;

#define ROFORMER_EMBEDDING_OPTIONS_INIT \
  { sizeof(roformer_embedding_options), ROFORMER_POOLING_AUTO, ROFORMER_AUTO, NULL, NULL, 0 }

/* A row for each text. `lengths` may be NULL: all texts end with a NUL. */
ROFORMER_EXPORT roformer_status roformer_embed(const roformer_model* model, const char* const* texts,
                                               const size_t* lengths, size_t count,
                                               const roformer_embedding_options* options, roformer_matrix** embeddings,
                                               roformer_error* error);
ROFORMER_EXPORT void roformer_matrix_free(roformer_matrix* matrix);

/* The similarity of the two texts' embeddings: their cosine, -1 to 1, unless the directory names another function. */
ROFORMER_EXPORT roformer_status roformer_similarity(const roformer_model* model, const char* first, size_t first_length,
                                                    const char* second, size_t second_length,
                                                    const roformer_embedding_options* options, double* similarity,
                                                    roformer_error* error);

typedef struct roformer_candidate {
  const char* token; /* NUL-terminated */
  int32_t id;
  double score; /* softmax probability over the whole vocabulary */
} roformer_candidate;

typedef struct roformer_masks {
  size_t masks, top_k;                  /* top_k is at most the vocabulary size */
  const roformer_candidate* candidates; /* [masks][top_k], for each [MASK] in order the most probable first */
} roformer_masks;

/* top_k >= 1. */
ROFORMER_EXPORT roformer_status roformer_fill_mask(const roformer_model* model, const char* text, size_t length,
                                                   int64_t top_k, roformer_masks** masks, roformer_error* error);
ROFORMER_EXPORT void roformer_masks_free(roformer_masks* masks);

typedef struct roformer_label {
  const char* name; /* NUL-terminated */
  double score;     /* of single-label models a probability, summing to 1; of multi-label ones a probability of each;
                     * of regression the number itself */
} roformer_label;

typedef struct roformer_classification {
  size_t count;                 /* of labels */
  size_t best;                  /* the label of the highest score */
  const roformer_label* labels; /* [count], in the model's order */
} roformer_classification;

/* The scores of a sequence-classification head for a text or a pair: `pair` is a second text, or NULL. */
ROFORMER_EXPORT roformer_status roformer_classify(const roformer_model* model, const char* text, size_t length,
                                                  const char* pair, size_t pair_length,
                                                  roformer_classification** classification, roformer_error* error);
ROFORMER_EXPORT void roformer_classification_free(roformer_classification* classification);
/* The same for many texts at once: a row of scores for each. `pairs` may be NULL, as may `lengths` and `pair_lengths`:
 * all texts end with a NUL. */
ROFORMER_EXPORT roformer_status roformer_classify_texts(const roformer_model* model, const char* const* texts,
                                                        const size_t* lengths, const char* const* pairs,
                                                        const size_t* pair_lengths, size_t count,
                                                        roformer_matrix** scores, roformer_error* error);

typedef struct roformer_token_label {
  const char* token; /* NUL-terminated */
  int32_t id;
  const char* label;  /* the most probable one */
  double score;       /* its probability */
  int64_t begin, end; /* in code points of the text */
} roformer_token_label;

typedef struct roformer_token_labels {
  size_t count;
  const roformer_token_label* tokens; /* [count] all but [CLS] and [SEP] */
} roformer_token_labels;

/* Needs a token-classification head. */
ROFORMER_EXPORT roformer_status roformer_label_tokens(const roformer_model* model, const char* text, size_t length,
                                                      roformer_token_labels** labels, roformer_error* error);
ROFORMER_EXPORT void roformer_token_labels_free(roformer_token_labels* labels);

typedef struct roformer_question_options {
  size_t struct_size;  /* sizeof(roformer_question_options) */
  int64_t max_tokens;  /* longest answer, before it is extended to whole words; default: 30 */
  int64_t stride;      /* tokens that two windows of a longer context share; default: half a window, at most
                        * 128; negative: none. A window has max_length of the model's options, default 384 */
  int64_t split_words; /* not 0: an answer may begin or end within a word */
} roformer_question_options;

#define ROFORMER_QUESTION_OPTIONS_INIT \
  { sizeof(roformer_question_options), 0, 0, 0 }

typedef struct roformer_answer {
  const char* text;   /* a part of the context, NUL-terminated */
  size_t length;      /* in bytes */
  double score;       /* probability that it begins and ends where it does, summed over equal texts */
  int64_t begin, end; /* in code points of the context */
} roformer_answer;

/* The part of the context that answers the question best. Needs a question-answering head. */
ROFORMER_EXPORT roformer_status roformer_answer_question(const roformer_model* model, const char* question,
                                                         size_t question_length, const char* context,
                                                         size_t context_length,
                                                         const roformer_question_options* options,
                                                         roformer_answer** answer, roformer_error* error);
ROFORMER_EXPORT void roformer_answer_free(roformer_answer* answer);

/* The probability of each choice as what follows the prompt, into `probabilities` [count]. Needs a multiple-choice
 * head. `lengths` may be NULL: all choices end with a NUL. */
ROFORMER_EXPORT roformer_status roformer_choose(const roformer_model* model, const char* prompt, size_t prompt_length,
                                                const char* const* choices, const size_t* lengths, size_t count,
                                                double* probabilities, roformer_error* error);

/* Sees each token that is generated, in the thread that called, with the text that the token completed: maybe none, of
 * `length` bytes, valid during the call. 0 ends the continuation; nothing may be thrown through it. */
typedef int (*roformer_on_token)(void* user, int32_t id, const char* text, size_t length);

typedef struct roformer_generation_options {
  size_t struct_size;              /* sizeof(roformer_generation_options) */
  int64_t max_new_tokens;          /* default: 128 */
  int64_t min_new_tokens;          /* default: 0 */
  double repetition_penalty;       /* default: 1, none */
  double temperature;              /* default: 1 */
  int64_t top_k;                   /* default: 50; negative: all tokens */
  double top_p;                    /* default: 1 */
  double min_p;                    /* default: 0 */
  uint64_t seed;                   /* default: 0 */
  int64_t context;                 /* in tokens; default: max_position_embeddings of config.json */
  const char* overflow;            /* of the context: "shift", "stop" or "error"; default: as text_model.h says */
  const char* attention_mask;      /* "causal" or "prefix"; default: the model's */
  const char* const* stop_strings; /* [stop_string_count], NUL-terminated: the text ends before the first of them */
  size_t stop_string_count;
  int64_t greedy; /* not 0: always the most probable token; temperature, top_k, top_p and min_p have no effect */
  roformer_on_token on_token; /* default: nobody is told */
  void* user;                 /* for on_token */
} roformer_generation_options;

#define ROFORMER_GENERATION_OPTIONS_INIT \
  { sizeof(roformer_generation_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, NULL, NULL }

typedef enum roformer_generation_end {
  ROFORMER_END_TOKEN = 0,
  ROFORMER_END_STOP_STRING = 1,
  ROFORMER_END_LENGTH = 2,  /* max_new_tokens */
  ROFORMER_END_CONTEXT = 3, /* the context is full */
  ROFORMER_END_HALTED = 4   /* on_token returned 0 */
} roformer_generation_end;

typedef struct roformer_generated {
  const char* text; /* the continuation, without special tokens; NUL-terminated */
  size_t length;    /* of the text in bytes */
  size_t count;
  const int32_t* ids; /* [count] all that were generated, an end token included */
  roformer_generation_end end;
} roformer_generated;

/* Continues a prompt. */
ROFORMER_EXPORT roformer_status roformer_generate(const roformer_model* model, const char* prompt, size_t length,
                                                  const roformer_generation_options* options,
                                                  roformer_generated** generated, roformer_error* error);
ROFORMER_EXPORT void roformer_generated_free(roformer_generated* generated);

/* ---- Training a masked language model for a few steps ---- */

typedef struct roformer_trainer roformer_trainer;

typedef struct roformer_trainer_options {
  size_t struct_size;                 /* sizeof(roformer_trainer_options) */
  int64_t hidden_size, layers, heads; /* of a new model; default: 256, 4, 4 */
  double learning_rate;               /* default: 0.001 for a new model, 0.00005 for one that is opened */
  int64_t max_length;                 /* tokens per sequence; default: 128 */
  uint64_t seed;                      /* default: 1 */
  int threads;                        /* default: one for each CPU it may use */
  const char* dtype;                  /* "float32" (default) or "bfloat16" */
  const roformer_stop* stop;          /* ends steps and validation; default: nothing does */
  const char* position;               /* of a new model, as in masked_language_trainer.h; default: "rotary" */
  int64_t intermediate_size;          /* of a new model; default: 4 times the hidden size */
  double dropout;                     /* of a new model; default: 0.1, negative: none */
  int64_t warmup;                     /* steps in which the rate rises from 0; default: 0 */
  double weight_decay;                /* default: 0.01, negative: none */
  double clip_norm;                   /* maximum gradient norm; default: 1, negative: no clipping */
  double mask_probability;            /* fraction of a text's tokens to predict; default: 0.15 */
  int64_t whole_words;                /* not 0: mask whole words */
  int64_t max_batch_tokens;           /* per pass; default: 4096 */
  const char* device;                 /* "cpu" (default) or "reference" */
} roformer_trainer_options;

#define ROFORMER_TRAINER_OPTIONS_INIT \
  { sizeof(roformer_trainer_options), 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL }

/* A new model for the tokenizer of a directory, and the model of a directory. */
ROFORMER_EXPORT roformer_status roformer_trainer_create(const char* tokenizer_directory,
                                                        const roformer_trainer_options* options,
                                                        roformer_trainer** trainer, roformer_error* error);
ROFORMER_EXPORT roformer_status roformer_trainer_open(const char* model_directory,
                                                      const roformer_trainer_options* options,
                                                      roformer_trainer** trainer, roformer_error* error);
ROFORMER_EXPORT void roformer_trainer_free(roformer_trainer* trainer);
/* As roformer_model_ignored_setting. */
ROFORMER_EXPORT const char* roformer_trainer_ignored_setting(const roformer_trainer* trainer, size_t index);

/* One update on all these texts; *loss (may be NULL) gets the mean loss over the masked tokens before it. */
ROFORMER_EXPORT roformer_status roformer_trainer_step(roformer_trainer* trainer, const char* const* texts,
                                                      const size_t* lengths, size_t count, double* loss,
                                                      roformer_error* error);

typedef struct roformer_score {
  double loss;     /* mean cross-entropy over the masked tokens, in nats */
  double accuracy; /* fraction of masked tokens predicted correctly */
  int64_t masked;  /* masked tokens */
} roformer_score;

/* Changes nothing. The same texts always get the same masks, so that scores can be compared. */
ROFORMER_EXPORT roformer_status roformer_trainer_validate(const roformer_trainer* trainer, const char* const* texts,
                                                          const size_t* lengths, size_t count, roformer_score* score,
                                                          roformer_error* error);
ROFORMER_EXPORT roformer_status roformer_trainer_save(const roformer_trainer* trainer, const char* directory,
                                                      roformer_error* error);

#ifdef __cplusplus
}
#endif

#endif /* ROFORMER_ROFORMER_H_ */
