// For paths.h: the product of matrices.

#include "tiles.h"

/// Which steps are summed before the sum is added to C: a panel of A of so many lies in the first cache, and so much of B in the second.
#define STEPS 512
#define BLOCK_COLUMNS (8 * 32)
#define BLOCK_ROWS (TILE_ROWS * (1008 / TILE_ROWS))

/// Whether rows of A are multiplied as they lie. That saves a copy where they meet few columns; rows that are a multiple of a page apart
/// would drive each other out of the first cache.
ALWAYS bool NAMED(a_stays)(const struct kernels_product *p) {
    if (p->scale) return false;
    return p->n <= 4 * TILE_COLUMNS && (p->lda % 1024 != 0 || p->a_transposed);
}

/// Whether rows of B are multiplied as they lie: where few rows of A meet them.
ALWAYS bool NAMED(b_stays)(const struct kernels_product *p) { return !p->b_transposed && p->m <= 2 * TILE_ROWS; }

ALWAYS size_t NAMED(least)(size_t a, size_t b) { return a < b ? a : b; }

ALWAYS size_t NAMED(panels)(size_t count, size_t width) { return (count + width - 1) / width * width; }

static size_t NAMED(workspace)(const struct kernels_product *p) {
    size_t steps = NAMED(least)(p->k, STEPS);
    size_t rows = NAMED(panels)(NAMED(least)(p->m, BLOCK_ROWS), TILE_ROWS);
    size_t columns = NAMED(panels)(NAMED(least)(p->n, BLOCK_COLUMNS), TILE_COLUMNS);
    return ALIGNED(rows * steps + LANES) + columns * steps + LANES + ALIGNMENT;
}

/// Rows from `row` on, of the steps from `step` on.
ALWAYS const float *NAMED(a_at)(const struct kernels_product *p, size_t row, size_t step) {
    return p->a_transposed ? p->a + step * p->lda + row : p->a + row * p->lda + step;
}

/// Packs `length` steps of `count` numbers into steps of `width` numbers, zeros beyond `count`. Step p is multiplied by scale[p], unless `scale` is null.
static void NAMED(pack_steps)(
    size_t count, size_t length, const float *steps, size_t stride, const float *scale, size_t width, float *target) {
    for (size_t p = 0; p < length; p++) {
        const float *source = steps + p * stride;
        float factor = scale ? scale[p] : 1, *step = target + p * width;
        size_t i = 0;
        for (; i + LANES <= count; i += LANES) {
            vector part = NAMED(loaded)(source + i);
            NAMED(store)(step + i, scale ? part * factor : part);
        }
        for (; i < count; i++) step[i] = scale ? source[i] * factor : source[i];
        for (; i < width; i++) step[i] = 0;
    }
}

/// Packs the rows from `row` on in panels of TILE_ROWS.
static void NAMED(pack_a)(
    const struct kernels_product *p, size_t row, size_t rows, size_t step, size_t steps, float *target) {
    const float *scale = p->scale ? p->scale + step : NULL;
    for (size_t i = 0; i < rows; i += TILE_ROWS) {
        size_t count = NAMED(least)(rows - i, TILE_ROWS);
        const float *source = NAMED(a_at)(p, row + i, step);
        if (p->a_transposed) NAMED(pack_steps)(count, steps, source, p->lda, scale, TILE_ROWS, target + i * steps);
        else NAMED(pack_rows)(count, steps, source, p->lda, scale, 1, TILE_ROWS, target + i * steps);
    }
}

/// Packs the columns from `column` on in panels of TILE_COLUMNS.
static void NAMED(pack_b)(
    const struct kernels_product *p, size_t column, size_t columns, size_t step, size_t steps, float *target) {
    for (size_t j = 0; j < columns; j += TILE_COLUMNS) {
        size_t count = NAMED(least)(columns - j, TILE_COLUMNS);
        float *panel = target + j * steps;
        if (p->b_transposed) {
            const float *source = p->b + (column + j) * p->ldb + step;
            NAMED(pack_rows)(count, steps, source, p->ldb, NULL, 0, TILE_COLUMNS, panel);
        } else {
            NAMED(pack_steps)(count, steps, p->b + step * p->ldb + column + j, p->ldb, NULL, TILE_COLUMNS, panel);
        }
    }
}

/// A block of C: all tiles of some rows and columns, for some steps.
static void NAMED(block)(
    const struct kernels_product *p, size_t row, size_t rows, size_t column, size_t columns, size_t step, size_t steps,
    const float *packed_a, const float *packed_b) {
    bool accumulates = p->accumulates || step > 0;
    for (size_t i = 0; i < rows; i += TILE_ROWS) {
        struct NAMED(panel) panel = {NAMED(a_at)(p, row + i, step), p->lda, p->a_transposed};
        if (packed_a) panel = (struct NAMED(panel)){packed_a + i * steps, TILE_ROWS, true};
        for (size_t j = 0; j < columns; j += TILE_COLUMNS) {
            size_t width = NAMED(least)(columns - j, TILE_COLUMNS);
            const float *b = packed_b + j * steps;
            size_t b_step = TILE_COLUMNS;
            if (NAMED(b_stays)(p) && width % LANES == 0) b = p->b + step * p->ldb + column + j, b_step = p->ldb;
            NAMED(tile)(
                NAMED(least)(rows - i, TILE_ROWS), width, steps, panel, b, b_step, p->c + (row + i) * p->ldc + column + j, p->ldc,
                accumulates);
        }
    }
}

static void NAMED(gemm)(const struct kernels_product *p, float *workspace) {
    bool stays = NAMED(a_stays)(p);
    workspace = NAMED(aligned)(workspace);
    for (size_t row = 0; row < p->m; row += BLOCK_ROWS) {
        size_t rows = NAMED(least)(p->m - row, BLOCK_ROWS);
        for (size_t step = 0; step < p->k; step += STEPS) {
            size_t steps = NAMED(least)(p->k - step, STEPS);
            float *packed_a = stays ? NULL : workspace;
            float *packed_b = workspace + ALIGNED(NAMED(panels)(rows, TILE_ROWS) * steps + LANES);
            if (!stays) NAMED(pack_a)(p, row, rows, step, steps, packed_a);
            for (size_t column = 0; column < p->n; column += BLOCK_COLUMNS) {
                size_t columns = NAMED(least)(p->n - column, BLOCK_COLUMNS);
                size_t packed = NAMED(b_stays)(p) ? columns / TILE_COLUMNS * TILE_COLUMNS : 0;
                NAMED(pack_b)(p, column + packed, columns - packed, step, steps, packed_b + packed * steps);
                NAMED(block)(p, row, rows, column, columns, step, steps, packed_a, packed_b);
            }
        }
    }
}

#undef STEPS
#undef BLOCK_COLUMNS
#undef BLOCK_ROWS
#include "text_end.h"
