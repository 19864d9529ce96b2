// What products and convolutions are made of: sums of outer products that stay in registers, and operands packed so that they are read one after the
// other. For the texts that paths.h compiles.

#include "vectors.h"

/// How many columns a tile has.
#define TILE_COLUMNS (2 * LANES)

/// Workspace begins at, and its parts are of, whole lines of the cache, in floats.
#define ALIGNMENT 16
#define ALIGNED(count) (((count) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

ALWAYS float *NAMED(aligned)(float *workspace) {
    uintptr_t bytes = ALIGNMENT * sizeof(float);
    return (float *)(((uintptr_t)workspace + bytes - 1) / bytes * bytes);
}

/// c[r, j] = sum over p in order of a[r, p] b[p, j], or added to c: `rows` by `vectors` times LANES numbers, both constants where it is called.
ALWAYS void NAMED(fixed_tile)(
    size_t rows, size_t vectors, size_t k, const float *a, size_t a_row, size_t a_step, const float *b, size_t b_step, float *c,
    size_t ldc, bool accumulates) {
    vector sums[TILE_ROWS][2];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) sums[r][v] = (vector){0};
    }
    for (size_t p = 0; p < k; p++) {
        vector b0 = NAMED(loaded)(b), b1 = vectors == 2 ? NAMED(loaded)(b + LANES) : b0;
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++) {
            float factor = a[r * a_row];
            sums[r][0] += factor * b0;
            if (vectors == 2) sums[r][1] += factor * b1;
        }
        a += a_step;
        b += b_step;
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < vectors; v++) {
            float *target = c + r * ldc + v * LANES;
            NAMED(store)(target, accumulates ? NAMED(loaded)(target) + sums[r][v] : sums[r][v]);
        }
    }
}

/// A tile of two vectors where `columns` asks for them, of one otherwise.
ALWAYS void NAMED(wide_tile)(
    size_t rows, size_t columns, size_t k, const float *a, size_t a_row, size_t a_step, const float *b, size_t b_step, float *c,
    size_t ldc, bool accumulates) {
    if (columns > LANES) NAMED(fixed_tile)(rows, 2, k, a, a_row, a_step, b, b_step, c, ldc, accumulates);
    else NAMED(fixed_tile)(rows, 1, k, a, a_row, a_step, b, b_step, c, ldc, accumulates);
}

ALWAYS void NAMED(any_tile)(
    size_t rows, size_t columns, size_t k, const float *a, size_t a_row, size_t a_step, const float *b, size_t b_step, float *c,
    size_t ldc, bool accumulates) {
#define TILE(n) \
    case n: return NAMED(wide_tile)(n, columns, k, a, a_row, a_step, b, b_step, c, ldc, accumulates);
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4)
#if TILE_ROWS > 4
        TILE(5) TILE(6)
#endif
#if TILE_ROWS > 6
        TILE(7) TILE(8)
#endif
#if TILE_ROWS > 8
        TILE(9) TILE(10) TILE(11) TILE(12)
#endif
    }
#undef TILE
}

/// Where row r of a step lies r floats behind the step's first: packed rows, and transposed matrices as they are.
static __attribute__((noinline)) void NAMED(tile_of_columns)(
    size_t rows, size_t columns, size_t k, const float *a, size_t a_step, const float *b, size_t b_step, float *c, size_t ldc,
    bool accumulates) {
    NAMED(any_tile)(rows, columns, k, a, 1, a_step, b, b_step, c, ldc, accumulates);
}

/// Where each row's steps lie one after the other: matrices that are not transposed, as they are.
static __attribute__((noinline)) void NAMED(tile_of_rows)(
    size_t rows, size_t columns, size_t k, const float *a, size_t a_row, const float *b, size_t b_step, float *c, size_t ldc,
    bool accumulates) {
    NAMED(any_tile)(rows, columns, k, a, a_row, 1, b, b_step, c, ldc, accumulates);
}

/// Rows of A, a panel: `step` is from one step to the next where `by_columns`, from one row to the next otherwise.
struct NAMED(panel) {
    const float *a;
    size_t step;
    bool by_columns;
};

/// A tile of up to TILE_ROWS by TILE_COLUMNS; b has whole vectors, c has not more than is said.
ALWAYS void NAMED(tile)(
    size_t rows, size_t columns, size_t k, struct NAMED(panel) a, const float *b, size_t b_step, float *c, size_t ldc,
    bool accumulates) {
    if (columns == TILE_COLUMNS || columns == LANES) {
        if (a.by_columns) NAMED(tile_of_columns)(rows, columns, k, a.a, a.step, b, b_step, c, ldc, accumulates);
        else NAMED(tile_of_rows)(rows, columns, k, a.a, a.step, b, b_step, c, ldc, accumulates);
        return;
    }
    float whole[TILE_ROWS * TILE_COLUMNS];
    if (a.by_columns) NAMED(tile_of_columns)(rows, columns, k, a.a, a.step, b, b_step, whole, TILE_COLUMNS, false);
    else NAMED(tile_of_rows)(rows, columns, k, a.a, a.step, b, b_step, whole, TILE_COLUMNS, false);
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < columns; j++) {
            float value = whole[r * TILE_COLUMNS + j];
            c[r * ldc + j] = accumulates ? c[r * ldc + j] + value : value;
        }
    }
}

/// Packs `count` rows of `length` numbers into steps of `width` numbers, the r-th number of step p being rows[r, p]: a transpose. Numbers beyond `count` are
/// zeros. Writes up to LANES numbers behind the last step. Step p is multiplied by scale[p * scale_step], unless `scale` is null.
static void NAMED(pack_rows)(
    size_t count, size_t length, const float *rows, size_t stride, const float *scale, size_t scale_step, size_t width,
    float *target) {
    for (size_t first = 0; first < width; first += LANES) {
        size_t present = first >= count ? 0 : count - first < LANES ? count - first : LANES;
        size_t p = 0;
        for (; p + LANES <= length; p += LANES) {
            vector square[LANES];
#pragma clang loop unroll(full)
            for (size_t r = 0; r < LANES; r++) square[r] = r < present ? NAMED(loaded)(rows + (first + r) * stride + p) : (vector){0};
            NAMED(transpose)(square);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < LANES; i++) {
                float factor = scale ? scale[(p + i) * scale_step] : 1;
                NAMED(store)(target + (p + i) * width + first, scale ? square[i] * factor : square[i]);
            }
        }
        for (; p < length; p++) {
            vector step = {0};
            for (size_t r = 0; r < present; r++) step[r] = rows[(first + r) * stride + p];
            NAMED(store)(target + p * width + first, scale ? step * scale[p * scale_step] : step);
        }
    }
}
