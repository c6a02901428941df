/* Fills [MASK] in a text, in C:  fill_mask_c MODEL TEXT [DTYPE] */
#include <roformer/roformer.h>
#include <stdio.h>

int main(int argc, char** argv) {
  roformer_error error;
  roformer_model_options options = ROFORMER_MODEL_OPTIONS_INIT;
  roformer_model* model = NULL;
  roformer_masks* masks = NULL;
  size_t m, c;
  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: fill_mask_c MODEL TEXT [DTYPE]\n");
    return 2;
  }
  if (argc == 4) options.dtype = argv[3];
  if (roformer_model_open(argv[1], &options, &model, &error) != ROFORMER_OK ||
      roformer_fill_mask(model, argv[2], ROFORMER_NUL_TERMINATED, 3, &masks, &error) != ROFORMER_OK) {
    fprintf(stderr, "fill_mask_c: %s\n", error.message);
    roformer_model_free(model);
    return 1;
  }
  printf("%s\n", argv[2]);
  for (m = 0; m < masks->masks; ++m) {
    for (c = 0; c < masks->top_k; ++c) {
      const roformer_candidate* candidate = &masks->candidates[m * masks->top_k + c];
      printf("  %.3f %s", candidate->score, candidate->token);
    }
    printf("\n");
  }
  roformer_masks_free(masks);
  roformer_model_free(model);
  return 0;
}
