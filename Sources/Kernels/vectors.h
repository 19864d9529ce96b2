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
