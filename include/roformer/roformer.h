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
  ROFORMER_USAGE_ERROR = 1, /* a NULL where an object is needed, a setting that cannot be */
  ROFORMER_DATA_ERROR = 2,  /* the content of a file or a text is not what it must be */
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

/* What the last call of this thread that failed was about, for programs: the message says the same to people. */
typedef enum roformer_error_detail {
  ROFORMER_ERROR_FIELD = 0,  /* of the options: "max_length" */
  ROFORMER_ERROR_PATH = 1,   /* a file or directory */
  ROFORMER_ERROR_KEY = 2,    /* of a JSON file: "hidden_size" */
  ROFORMER_ERROR_TENSOR = 3, /* by its name in the file */
  ROFORMER_ERROR_LINE = 4    /* of the file or text, from 1, in digits */
} roformer_error_detail;

/* NUL-terminated, and valid until the thread's next call; empty where the error is about no such thing. */
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

typedef struct roformer_model roformer_model;

/* A field of 0 or NULL means its default; start from ROFORMER_MODEL_OPTIONS_INIT. Fields are only ever added, at the
 * end: `struct_size` tells the library which ones the program knows, so that a program compiled before they came goes
 * on. Without a struct_size (0), or with fields set that the library does not know yet, ROFORMER_USAGE_ERROR. */
typedef struct roformer_model_options {
  size_t struct_size;        /* sizeof(roformer_model_options) */
  int threads;               /* that compute, the calling one among them; default: one for each CPU it may use */
  const char* device;        /* "cpu" (default) or "reference" */
  int64_t max_length;        /* encode and embed cut longer texts to so many tokens; default: never */
  int64_t max_batch_tokens;  /* texts are computed together up to so many tokens; default: 4096 */
  const char* dtype;         /* numbers to multiply: "float32" (default), "bfloat16" or "int8" */
  const roformer_stop* stop; /* ends calls on this model; default: nothing does */
} roformer_model_options;

#define ROFORMER_MODEL_OPTIONS_INIT \
  { sizeof(roformer_model_options), 0, NULL, 0, 0, NULL, NULL }

/* Opens a model directory. `options` may be NULL. */
ROFORMER_EXPORT roformer_status roformer_model_open(const char* directory, const roformer_model_options* options,
                                                    roformer_model** model, roformer_error* error);
ROFORMER_EXPORT void roformer_model_free(roformer_model* model);
ROFORMER_EXPORT int64_t roformer_model_hidden_size(const roformer_model* model); /* 0 for NULL */

typedef struct roformer_tokens {
  size_t count;
  const char* const* tokens;  /* [count], NUL-terminated; one that holds a NUL (the byte tokenizer's) seems shorter */
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
  ROFORMER_POOLING_MEAN = 0,  /* of all tokens */
  ROFORMER_POOLING_CLS = 1,   /* the first token */
  ROFORMER_POOLING_MAX = 2,   /* the largest of each column */
  ROFORMER_POOLING_POOLER = 3 /* the model's pooler over the first token; an error for a model without one */
} roformer_pooling;

/* A row for each text. `lengths` may be NULL: all texts end with a NUL. With `normalize` not 0 rows have length 1. */
ROFORMER_EXPORT roformer_status roformer_embed(const roformer_model* model, const char* const* texts,
                                               const size_t* lengths, size_t count, roformer_pooling pooling,
                                               int normalize, roformer_matrix** embeddings, roformer_error* error);
ROFORMER_EXPORT void roformer_matrix_free(roformer_matrix* matrix);

typedef struct roformer_candidate {
  const char* token; /* NUL-terminated */
  int32_t id;
  double score; /* softmax probability over the whole vocabulary */
} roformer_candidate;

typedef struct roformer_masks {
  size_t masks, top_k;                  /* top_k is at most the number of tokens there are */
  const roformer_candidate* candidates; /* [masks][top_k], for each [MASK] in order the most probable first */
} roformer_masks;

/* top_k >= 1. */
ROFORMER_EXPORT roformer_status roformer_fill_mask(const roformer_model* model, const char* text, size_t length,
                                                   int64_t top_k, roformer_masks** masks, roformer_error* error);
ROFORMER_EXPORT void roformer_masks_free(roformer_masks* masks);

/* ---- Training a masked language model for a few steps ---- */

typedef struct roformer_trainer roformer_trainer;

/* As roformer_model_options; start from ROFORMER_TRAINER_OPTIONS_INIT. */
typedef struct roformer_trainer_options {
  size_t struct_size;                 /* sizeof(roformer_trainer_options) */
  int64_t hidden_size, layers, heads; /* of a new model; default: 256, 4, 4 */
  double learning_rate;               /* default: 0.001 */
  int64_t max_length;                 /* tokens a sequence; default: 128 */
  uint64_t seed;                      /* default: 1 */
  int threads;                        /* default: one for each CPU it may use */
  const char* dtype;                  /* "float32" (default) or "bfloat16" */
  const roformer_stop* stop;          /* ends roformer_trainer_step; default: nothing does */
} roformer_trainer_options;

#define ROFORMER_TRAINER_OPTIONS_INIT \
  { sizeof(roformer_trainer_options), 0, 0, 0, 0, 0, 0, 0, NULL, NULL }

/* A new model for the tokenizer of a directory, and the model of a directory. `options` may be NULL. */
ROFORMER_EXPORT roformer_status roformer_trainer_create(const char* tokenizer_directory,
                                                        const roformer_trainer_options* options,
                                                        roformer_trainer** trainer, roformer_error* error);
ROFORMER_EXPORT roformer_status roformer_trainer_open(const char* model_directory,
                                                      const roformer_trainer_options* options,
                                                      roformer_trainer** trainer, roformer_error* error);
ROFORMER_EXPORT void roformer_trainer_free(roformer_trainer* trainer);

/* One update on all these texts; *loss (may be NULL) gets the mean loss over the masked tokens before it. */
ROFORMER_EXPORT roformer_status roformer_trainer_step(roformer_trainer* trainer, const char* const* texts,
                                                      const size_t* lengths, size_t count, double* loss,
                                                      roformer_error* error);
ROFORMER_EXPORT roformer_status roformer_trainer_save(const roformer_trainer* trainer, const char* directory,
                                                      roformer_error* error);

#ifdef __cplusplus
}
#endif

#endif /* ROFORMER_ROFORMER_H_ */
