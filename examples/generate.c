/* Continues a text up to the first full stop, and shows it as it comes:  generate_c MODEL PROMPT */
#include <roformer/roformer.h>
#include <stdio.h>
#include <string.h>

static int show(void* user, int32_t id, const char* text, size_t length) {
  (void)user;
  (void)id;
  fwrite(text, 1, length, stdout);
  fflush(stdout);
  return memchr(text, '.', length) == NULL; /* 0 ends the text */
}

int main(int argc, char** argv) {
  roformer_error error;
  roformer_model* model = NULL;
  roformer_generated* generated = NULL;
  roformer_generation_options options = ROFORMER_GENERATION_OPTIONS_INIT;
  if (argc != 3) {
    fprintf(stderr, "usage: generate_c MODEL PROMPT\n");
    return 2;
  }
  options.temperature = 0.8;
  options.top_p = 0.95;
  options.seed = 1;
  options.max_new_tokens = 8;
  options.on_token = show;
  if (roformer_model_open(argv[1], NULL, &model, &error) != ROFORMER_OK ||
      roformer_generate(model, argv[2], ROFORMER_NUL_TERMINATED, &options, &generated, &error) != ROFORMER_OK) {
    fprintf(stderr, "generate_c: %s\n", error.message);
    roformer_model_free(model);
    return 1;
  }
  printf("\n%s\n", generated->end == ROFORMER_END_HALTED ? "up to a full stop" : "no full stop");
  roformer_generated_free(generated);
  roformer_model_free(model);
  return 0;
}
