/* The C interface of libroformer: the classes of text_model.h and masked_language_trainer.h for C and everything that
 * can call C. C99; also good C++.
 *
 * Texts are UTF-8 and come with their length in bytes, or ROFORMER_NUL_TERMINATED.
 * Functions that can fail return a roformer_status, and describe what was wrong in *error where that is not NULL; they
 * touch their other outputs only when they succeed. No C++ exception leaves the library.
 * Results belong to the caller, who frees each with the function named after its type; free functions take NULL.
 * Pointers inside a result live as long as it does.
 * Threads: any number of threads may use one roformer_model at once, but for freeing it. A roformer_trainer serves one
 * thread at a time. Signals: see docs/library.md. */
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

/* Opens a model directory. */
ROFORMER_EXPORT roformer_status roformer_model_open(const char* directory, const roformer_model_options* options,
                                                    roformer_model** model, roformer_error* error);
ROFORMER_EXPORT void roformer_model_free(roformer_model* model);
ROFORMER_EXPORT int64_t roformer_model_hidden_size(const roformer_model* model); /* 0 for NULL */
/* Keys of config.json that the library does not know and that could matter: worth a warning. NULL if `index` is not
 * less than their number. */
ROFORMER_EXPORT const char* roformer_model_ignored_setting(const roformer_model* model, size_t index);
/* What is unusual about the directory and was made of it, a sentence each, ignored settings among them. NULL if `index`
 * is not less than their number. */
ROFORMER_EXPORT const char* roformer_model_warning(const roformer_model* model, size_t index);

typedef struct roformer_tokens {
  size_t count;
  const char* const* tokens;  /* [count], NUL-terminated; one that contains a NUL (byte tokenizer) appears shorter */
  const int32_t* ids;         /* [count] */
  const int32_t* segment_ids; /* [count] 0 for the text, 1 for the pair */
  const int64_t* offsets;     /* [count][2] begin and end in code points of the text; 0, 0 for special tokens */
} roformer_tokens;

/* `pair` is a second text, or NULL. */
ROFORMER_EXPORT roformer_status roformer_tokenize(const roformer_model* model, const char* text, size_t length,
                                                  const char* pair, size_t pair_length, roformer_tokens** tokens,
                                                  roformer_error* error);
ROFORMER_EXPORT void roformer_tokens_free(roformer_tokens* tokens);

typedef struct roformer_matrix {
  size_t rows, columns;
  const float* values; /* [rows][columns] */
} roformer_matrix;

/* The last layer's output for a text: a row for each of its tokens, [CLS] and [SEP] included. */
ROFORMER_EXPORT roformer_status roformer_encode(const roformer_model* model, const char* text, size_t length,
                                                roformer_matrix** hidden_states, roformer_error* error);

typedef enum roformer_pooling {
  ROFORMER_POOLING_AUTO = 0,  /* the directory's setting, else the pooler for RoFormer-Sim, else mean */
  ROFORMER_POOLING_MEAN = 1,  /* of all tokens */
  ROFORMER_POOLING_CLS = 2,   /* the first token */
  ROFORMER_POOLING_MAX = 3,   /* the largest of each column */
  ROFORMER_POOLING_POOLER = 4 /* the model's pooler over the first token; an error for a model without one */
} roformer_pooling;

typedef enum roformer_choice { ROFORMER_AUTO = 0, ROFORMER_YES = 1, ROFORMER_NO = 2 } roformer_choice;

typedef struct roformer_embedding_options {
  size_t struct_size; /* sizeof(roformer_embedding_options) */
  roformer_pooling pooling;
  roformer_choice normalize; /* to length 1; ROFORMER_AUTO: the directory's setting, else no */
} roformer_embedding_options;

#define ROFORMER_EMBEDDING_OPTIONS_INIT \
  { sizeof(roformer_embedding_options), ROFORMER_POOLING_AUTO, ROFORMER_AUTO }

/* A row for each text. `lengths` may be NULL: all texts end with a NUL. */
ROFORMER_EXPORT roformer_status roformer_embed(const roformer_model* model, const char* const* texts,
                                               const size_t* lengths, size_t count,
                                               const roformer_embedding_options* options, roformer_matrix** embeddings,
                                               roformer_error* error);
ROFORMER_EXPORT void roformer_matrix_free(roformer_matrix* matrix);

/* The cosine of the two texts' embeddings, -1 to 1. */
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
} roformer_generation_options;

#define ROFORMER_GENERATION_OPTIONS_INIT \
  { sizeof(roformer_generation_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0 }

typedef enum roformer_generation_end {
  ROFORMER_END_TOKEN = 0,
  ROFORMER_END_STOP_STRING = 1,
  ROFORMER_END_LENGTH = 2, /* max_new_tokens */
  ROFORMER_END_CONTEXT = 3 /* the context is full */
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
