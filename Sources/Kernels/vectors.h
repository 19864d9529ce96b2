// Vectors of LANES floats, for the texts that paths.h compiles.

/// Floats, wherever they lie.
typedef float NAMED(vector) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define vector NAMED(vector)

/// What a pointer's next LANES floats are.
ALWAYS vector NAMED(loaded)(const float *source) { return *(const vector *)source; }

ALWAYS void NAMED(store)(float *target, vector value) { *(vector *)target = value; }

#if LANES == 16
#define LOW_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOW_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW_HALVES 0, 4, 1, 5
#define HIGH_HALVES 2, 6, 3, 7
#endif

/// One of log2(LANES) equal steps, after which rows are columns: rows i and i + LANES / 2 become rows 2 i and 2 i + 1, interleaved.
ALWAYS void NAMED(interleave)(const vector *source, vector *target) {
#pragma clang loop unroll(full)
    for (size_t i = 0; i < LANES / 2; i++) {
        target[2 * i] = __builtin_shufflevector(source[i], source[i + LANES / 2], LOW_HALVES);
        target[2 * i + 1] = __builtin_shufflevector(source[i], source[i + LANES / 2], HIGH_HALVES);
    }
}

/// Makes rows of a square columns.
ALWAYS void NAMED(transpose)(vector *square) {
    vector other[LANES];
    NAMED(interleave)(square, other);
    NAMED(interleave)(other, square);
#if LANES == 8
    NAMED(interleave)(square, other);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < LANES; i++) square[i] = other[i];
#elif LANES == 16
    NAMED(interleave)(square, other);
    NAMED(interleave)(other, square);
#endif
}

#undef LOW_HALVES
#undef HIGH_HALVES

/// What a comparison of vectors gives: all bits of a lane, or none.
typedef int32_t NAMED(words) __attribute__((vector_size(4 * LANES)));
/// As many doubles as there are floats in a vector.
typedef double NAMED(wide) __attribute__((vector_size(8 * LANES)));
/// What a comparison of those gives.
typedef int64_t NAMED(wide_words) __attribute__((vector_size(8 * LANES)));

#define words NAMED(words)
#define wide NAMED(wide)
#define wide_words NAMED(wide_words)

/// The first `count` of a pointer's floats, and `rest` in the other lanes.
ALWAYS vector NAMED(get_or)(const float *source, size_t count, float rest) {
    if (count >= LANES) return NAMED(loaded)(source);
    vector value = (vector){0} + rest;
#if LANES == 16
    return (vector)_mm512_mask_loadu_ps((__m512)value, (__mmask16)((1u << count) - 1), source);
#endif
    for (size_t i = 0; i < count; i++) value[i] = source[i];
    return value;
}

ALWAYS vector NAMED(get)(const float *source, size_t count) { return NAMED(get_or)(source, count, 0); }

/// Stores the first `count` lanes.
ALWAYS void NAMED(put)(float *target, size_t count, vector value) {
    if (count >= LANES) {
        NAMED(store)(target, value);
        return;
    }
#if LANES == 16
    _mm512_mask_storeu_ps(target, (__mmask16)((1u << count) - 1), (__m512)value);
    return;
#endif
    for (size_t i = 0; i < count; i++) target[i] = value[i];
}

/// Lanes of a where the mask is set, of b elsewhere.
ALWAYS vector NAMED(pick)(words mask, vector a, vector b) { return (vector)((mask & (words)a) | (~mask & (words)b)); }

ALWAYS wide NAMED(pick_wide)(wide_words mask, wide a, wide b) {
    return (wide)((mask & (wide_words)a) | (~mask & (wide_words)b));
}

ALWAYS wide NAMED(widened)(vector value) { return __builtin_convertvector(value, wide); }

/// The sum of all lanes, in an order that is the same for all instructions that have as many.
ALWAYS double NAMED(lane_sum)(wide value) {
    double lanes[LANES];
    for (size_t i = 0; i < LANES; i++) lanes[i] = value[i];
    for (size_t width = LANES / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
    }
    return lanes[0];
}

/// Runs what follows for whole vectors of `count` numbers and then for the rest: from `i` on, `n` numbers.
#define EACH(count, ...)                                \
    do {                                                \
        size_t i = 0;                                   \
        for (; i + LANES <= (count); i += LANES) {      \
            const size_t n = LANES;                     \
            (void)n;                                    \
            __VA_ARGS__                                 \
        }                                               \
        if (i < (count)) {                              \
            const size_t n = (count) - i;               \
            __VA_ARGS__                                 \
        }                                               \
    } while (0)

/// Within EACH: the numbers of an array, and their new values.
#define GET(array) NAMED(get)((array) + i, n)
#define PUT(array, value) NAMED(put)((array) + i, n, value)
