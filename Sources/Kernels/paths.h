// Compiles the file that TEXT names once for each set of instructions: NAMED(name) is that set's own name of a function or type, LANES how many
// floats its vectors hold, TILE_ROWS how many rows of vectors two wide its registers sum (twelve by two of AVX-512's 32 registers leave room for what is
// multiplied). Everything else a text writes with vector types, so that it holds for all.

// (Vectors wider than the processor's have no settled way to be passed. Whatever takes them here is inlined.)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define JOINED(a, b) a##_##b
#define ALWAYS static inline __attribute__((always_inline))

#define NAMED(name) JOINED(name, portable)
#define LANES 4
#if defined(__aarch64__)
#define TILE_ROWS 8
#else
#define TILE_ROWS 4
#endif
#include TEXT
#undef NAMED
#undef LANES
#undef TILE_ROWS

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define NAMED(name) JOINED(name, avx2)
#define LANES 8
#define TILE_ROWS 6
#include TEXT
#undef NAMED
#undef LANES
#undef TILE_ROWS
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma"))), apply_to = function)
#define NAMED(name) JOINED(name, avx512)
#define LANES 16
#define TILE_ROWS 12
#include TEXT
#undef NAMED
#undef LANES
#undef TILE_ROWS
#pragma clang attribute pop

/// The result of `name` as compiled for `instructions`.
#define CHOSEN(instructions, name, ...)                         \
    ((instructions) == kernels_avx512 ? name##_avx512(__VA_ARGS__) \
     : (instructions) == kernels_avx2 ? name##_avx2(__VA_ARGS__)   \
                                      : name##_portable(__VA_ARGS__))

#else

#define CHOSEN(instructions, name, ...) ((void)(instructions), name##_portable(__VA_ARGS__))

#endif

#pragma clang diagnostic pop
