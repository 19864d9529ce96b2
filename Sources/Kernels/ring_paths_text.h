// For paths.h: products modulo 2^64 and modulo 2^32, of one text.

#define WORD uint64_t
#define WIDTH 8
#define RING(name) NAMED(ring64_##name)
#define PRODUCT kernels_ring64_product
#include "ring_text.h"

#define WORD uint32_t
#define WIDTH 4
#define RING(name) NAMED(ring32_##name)
#define PRODUCT kernels_ring32_product
#include "ring_text.h"
