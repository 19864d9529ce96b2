// Compiles the file that TEXT names once for each way to compute AES: NAMED(name) is that way's own name, CIPHER its number.

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define JOINED(a, b) a##_##b
#define ALWAYS static inline __attribute__((always_inline))

#define NAMED(name) JOINED(name, sliced)
#define CIPHER 0
#include TEXT
#undef NAMED
#undef CIPHER

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("aes,sse4.1,ssse3"))), apply_to = function)
#define NAMED(name) JOINED(name, instructions)
#define CIPHER 1
#include TEXT
#undef NAMED
#undef CIPHER
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("aes,vaes,avx512f,avx512vl,avx512bw,avx512dq"))), apply_to = function)
#define NAMED(name) JOINED(name, wide)
#define CIPHER 2
#include TEXT
#undef NAMED
#undef CIPHER
#pragma clang attribute pop

#define CHOSEN_CIPHER(cipher, name, ...)                               \
    ((cipher) == kernels_cipher_wide ? name##_wide(__VA_ARGS__)          \
     : (cipher) == kernels_cipher_instructions ? name##_instructions(__VA_ARGS__) \
                                               : name##_sliced(__VA_ARGS__))

#elif defined(__aarch64__) && defined(__ARM_FEATURE_AES)

#define NAMED(name) JOINED(name, instructions)
#define CIPHER 1
#include TEXT
#undef NAMED
#undef CIPHER

#define CHOSEN_CIPHER(cipher, name, ...)                                 \
    ((cipher) == kernels_cipher_sliced ? name##_sliced(__VA_ARGS__) : name##_instructions(__VA_ARGS__))

#else

#define CHOSEN_CIPHER(cipher, name, ...) ((void)(cipher), name##_sliced(__VA_ARGS__))

#endif

#pragma clang diagnostic pop
