/* What libroformer.so shows to programs; everything else in it is hidden. For C and C++. */
#ifndef ROFORMER_EXPORT_H_
#define ROFORMER_EXPORT_H_

#define ROFORMER_EXPORT __attribute__((visibility("default")))

#endif /* ROFORMER_EXPORT_H_ */
