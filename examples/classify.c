/* Labels a text with a sequence classifier, in C:  classify_c MODEL TEXT */
#include <roformer/roformer.h>
#include <stdio.h>

int main(int argc, char** argv) {
  roformer_error error;
  roformer_model* model = NULL;
  roformer_classification* found = NULL;
  const char* key;
  size_t i;
  if (argc != 3) {
    fprintf(stderr, "usage: classify_c MODEL TEXT\n");
    return 2;
  }
  if (roformer_model_open(argv[1], NULL, &model, &error) != ROFORMER_OK) {
    fprintf(stderr, "classify_c: %s\n", error.message);
    return 1;
  }
  for (i = 0; (key = roformer_model_ignored_setting(model, i)) != NULL; ++i) {
    fprintf(stderr, "classify_c: %s/config.json: ignored: %s\n", argv[1], key);
  }
  if (roformer_classify(model, argv[2], ROFORMER_NUL_TERMINATED, NULL, 0, &found, &error) != ROFORMER_OK) {
    fprintf(stderr, "classify_c: %s\n", error.message);
    roformer_model_free(model);
    return 1;
  }
  for (i = 0; i < found->count; ++i) {
    printf("%.3f %s%s\n", found->labels[i].score, found->labels[i].name, i == found->best ? " *" : "");
  }
  roformer_classification_free(found);
  roformer_model_free(model);
  return 0;
}
