// For ring_paths_text.h: products of matrices of WORDs of WIDTH bytes. Blocks of both operands are copied so that they are read one number after the other
// (Goto and van de Geijn 2008), and tiles are summed in registers.
//
// AVX-512 has a multiplication of 64-bit numbers (DQ). Elsewhere a product modulo 2^64 is the full product of the low halves, and 2^32 times the sum of both
// products of a low and a high half, of which the low half counts. Each is summed apart over all steps, and both are put together once a tile.

/// Numbers of a vector.
#define COUNT (4 * LANES / WIDTH)

/// Whether each sum is held in two parts.
#if WIDTH == 8 && LANES != 16
#define IS_SPLIT 1
#else
#define IS_SPLIT 0
#endif

#if IS_SPLIT
#define VECTORS 1
#define ROWS 4
#else
#define VECTORS 2
#define ROWS TILE_ROWS
#endif
#define COLUMNS (VECTORS * COUNT)

/// Which steps are summed before the sum is added to C; rows and columns of a block.
#define STEPS 256
#define BLOCK_ROWS (ROWS * (240 / ROWS))
#define BLOCK_COLUMNS (COLUMNS * (256 / COLUMNS))
/// Workspace begins at a whole line of the cache.
#define LINE (64 / WIDTH)

typedef WORD RING(vector) __attribute__((vector_size(4 * LANES), aligned(WIDTH), may_alias));
#define vector RING(vector)

ALWAYS vector RING(loaded)(const WORD *source) { return *(const vector *)source; }
ALWAYS void RING(store)(WORD *target, vector value) { *(vector *)target = value; }
ALWAYS size_t RING(least)(size_t a, size_t b) { return a < b ? a : b; }
ALWAYS size_t RING(panels)(size_t count, size_t width) { return (count + width - 1) / width * width; }

static size_t RING(workspace)(const struct PRODUCT *p) {
    size_t steps = RING(least)(p->k, STEPS);
    size_t rows = RING(panels)(RING(least)(p->m, BLOCK_ROWS), ROWS);
    size_t columns = RING(panels)(RING(least)(p->n, BLOCK_COLUMNS), COLUMNS);
    return RING(panels)(rows * steps, LINE) + columns * steps + LINE;
}

#if IS_SPLIT

typedef uint32_t RING(halves) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/// A sum: of products of low halves, and of the others.
struct RING(sum) {
    vector low, cross;
};

ALWAYS vector RING(swapped)(vector b) {
    return b << 32 | b >> 32;
}

/// Adds a b, where `turned` has b's halves the other way round.
ALWAYS void RING(mac)(struct RING(sum) *sum, WORD a, vector b, vector turned) {
#if defined(__aarch64__)
    uint32x2_t low_a = vdup_n_u32((uint32_t)a);
    sum->low = (vector)vmlal_u32((uint64x2_t)sum->low, vmovn_u64((uint64x2_t)b), low_a);
    sum->cross = (vector)vmlaq_u32((uint32x4_t)sum->cross, (uint32x4_t)turned, vreinterpretq_u32_u64(vdupq_n_u64(a)));
#elif LANES == 8
    __m256i factor = _mm256_set1_epi64x((long long)a);
    sum->low += (vector)_mm256_mul_epu32(factor, (__m256i)b);
    sum->cross = (vector)_mm256_add_epi32((__m256i)sum->cross, _mm256_mullo_epi32(factor, (__m256i)turned));
#elif defined(__x86_64__)
    __m128i factor = _mm_set1_epi64x((long long)a);
    sum->low += (vector)_mm_mul_epu32(factor, (__m128i)b);
    sum->cross += (vector)_mm_mul_epu32(factor, (__m128i)turned);
    sum->cross += (vector)_mm_mul_epu32(_mm_srli_epi64(factor, 32), (__m128i)b);
#else
    sum->low += ((vector){0} + (a & 0xffffffff)) * (b & 0xffffffff);
    sum->cross += ((vector){0} + (a & 0xffffffff)) * (turned & 0xffffffff) + ((vector){0} + (a >> 32)) * (b & 0xffffffff);
#endif
}

ALWAYS vector RING(total)(struct RING(sum) sum) {
#if defined(__aarch64__) || LANES == 8
    return sum.low + ((sum.cross + (sum.cross >> 32)) << 32);
#else
    return sum.low + (sum.cross << 32);
#endif
}

#else

struct RING(sum) {
    vector low;
};

ALWAYS vector RING(swapped)(vector b) { return b; }

ALWAYS void RING(mac)(struct RING(sum) *sum, WORD a, vector b, vector turned) {
    (void)turned;
    sum->low += a * b;
}

ALWAYS vector RING(total)(struct RING(sum) sum) { return sum.low; }

#endif

/// c[r, j] = sum over p of a[p, r] b[p, j], or added to c: `rows` by VECTORS vectors, `rows` a constant where it is called.
ALWAYS void RING(fixed_tile)(
    size_t rows, size_t k, const WORD *a, const WORD *b, size_t b_step, WORD *c, size_t ldc, bool accumulates) {
    struct RING(sum) sums[ROWS][VECTORS];
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < VECTORS; v++) sums[r][v] = (struct RING(sum)){0};
    }
    for (size_t p = 0; p < k; p++) {
        vector bs[VECTORS], turned[VECTORS];
#pragma clang loop unroll(full)
        for (size_t v = 0; v < VECTORS; v++) {
            bs[v] = RING(loaded)(b + v * COUNT);
            turned[v] = RING(swapped)(bs[v]);
        }
#pragma clang loop unroll(full)
        for (size_t r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
            for (size_t v = 0; v < VECTORS; v++) RING(mac)(&sums[r][v], a[r], bs[v], turned[v]);
        }
        a += ROWS;
        b += b_step;
    }
#pragma clang loop unroll(full)
    for (size_t r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < VECTORS; v++) {
            WORD *target = c + r * ldc + v * COUNT;
            vector total = RING(total)(sums[r][v]);
            RING(store)(target, accumulates ? RING(loaded)(target) + total : total);
        }
    }
}

static __attribute__((noinline)) void RING(whole_tile)(
    size_t rows, size_t k, const WORD *a, const WORD *b, size_t b_step, WORD *c, size_t ldc, bool accumulates) {
#define TILE(n) \
    case n: return RING(fixed_tile)(n, k, a, b, b_step, c, ldc, accumulates);
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4)
#if TILE_ROWS > 4 && !IS_SPLIT
        TILE(5) TILE(6)
#endif
#if TILE_ROWS > 6 && !IS_SPLIT
        TILE(7) TILE(8)
#endif
#if TILE_ROWS > 8 && !IS_SPLIT
        TILE(9) TILE(10) TILE(11) TILE(12)
#endif
    }
#undef TILE
}

/// A tile of up to ROWS by COLUMNS; b has whole vectors, c has not more than is said.
ALWAYS void RING(tile)(
    size_t rows, size_t columns, size_t k, const WORD *a, const WORD *b, size_t b_step, WORD *c, size_t ldc, bool accumulates) {
    if (columns == COLUMNS) {
        RING(whole_tile)(rows, k, a, b, b_step, c, ldc, accumulates);
        return;
    }
    WORD whole[ROWS * COLUMNS];
    RING(whole_tile)(rows, k, a, b, b_step, whole, COLUMNS, false);
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < columns; j++) {
            WORD value = whole[r * COLUMNS + j];
            c[r * ldc + j] = accumulates ? c[r * ldc + j] + value : value;
        }
    }
}

/// Packs the rows of op(A) from `row` on in panels of ROWS, zeros beyond.
static void RING(pack_a)(const struct PRODUCT *p, size_t row, size_t rows, size_t step, size_t steps, WORD *target) {
    for (size_t i = 0; i < rows; i += ROWS) {
        size_t count = RING(least)(rows - i, ROWS);
        WORD *panel = target + i * steps;
        for (size_t r = 0; r < ROWS; r++) {
            if (r >= count) {
                for (size_t s = 0; s < steps; s++) panel[s * ROWS + r] = 0;
                continue;
            }
            size_t stride = p->a_transposed ? p->lda : 1;
            const WORD *source = p->a_transposed ? p->a + step * p->lda + row + i + r : p->a + (row + i + r) * p->lda + step;
            for (size_t s = 0; s < steps; s++) panel[s * ROWS + r] = source[s * stride];
        }
    }
}

/// Packs the columns of op(B) from `column` on in panels of COLUMNS, zeros beyond.
static void RING(pack_b)(const struct PRODUCT *p, size_t column, size_t columns, size_t step, size_t steps, WORD *target) {
    for (size_t j = 0; j < columns; j += COLUMNS) {
        size_t count = RING(least)(columns - j, COLUMNS);
        WORD *panel = target + j * steps;
        if (p->b_transposed) {
            for (size_t i = 0; i < COLUMNS; i++) {
                const WORD *source = p->b + (column + j + i) * p->ldb + step;
                for (size_t s = 0; s < steps; s++) panel[s * COLUMNS + i] = i < count ? source[s] : 0;
            }
            continue;
        }
        for (size_t s = 0; s < steps; s++) {
            const WORD *source = p->b + (step + s) * p->ldb + column + j;
            for (size_t i = 0; i < COLUMNS; i++) panel[s * COLUMNS + i] = i < count ? source[i] : 0;
        }
    }
}

/// Packs output pixels from `column` on of an image, unfolded, in panels of COLUMNS: step (channel, ky, kx).
static void RING(pack_image)(
    const struct PRODUCT *p, const struct unfolded *image, size_t column, size_t columns, size_t step, size_t steps, WORD *target) {
    const struct kernels_convolution *c = image->convolution;
    size_t area = c->kernel_height * c->kernel_width;
    for (size_t j = 0; j < columns; j += COLUMNS) {
        size_t count = RING(least)(columns - j, COLUMNS);
        // Where the window of each pixel begins; numbers below zero wrap, and are then not below the height or width.
        size_t top[COLUMNS], left[COLUMNS];
        for (size_t i = 0; i < count; i++) {
            top[i] = (column + j + i) / image->output_width * c->stride_y - c->padding_y;
            left[i] = (column + j + i) % image->output_width * c->stride_x - c->padding_x;
        }
        bool is_run = c->stride_x == 1 && count == COLUMNS && top[0] == top[COLUMNS - 1];
        size_t channel = step / area, ky = step % area / c->kernel_width, kx = step % c->kernel_width;
        for (size_t s = 0; s < steps; s++) {
            const WORD *plane = p->b + channel * c->height * c->width;
            WORD *packed = target + j * steps + s * COLUMNS;
            size_t y = top[0] + ky, x = left[0] + kx;
            if (is_run && y < c->height && x < c->width && x + COLUMNS <= c->width) {
                for (size_t i = 0; i < COLUMNS; i++) packed[i] = plane[y * c->width + x + i];
            } else {
                for (size_t i = 0; i < COLUMNS; i++) {
                    bool is_inside = i < count && top[i] + ky < c->height && left[i] + kx < c->width;
                    packed[i] = is_inside ? plane[(top[i] + ky) * c->width + left[i] + kx] : 0;
                }
            }
            if (++kx == c->kernel_width) {
                kx = 0;
                if (++ky == c->kernel_height) ky = 0, channel++;
            }
        }
    }
}

__attribute__((unused)) static void RING(multiply)(const struct PRODUCT *p, const struct unfolded *image, WORD *workspace) {
    if (p->k == 0 && !p->accumulates) {
        for (size_t i = 0; i < p->m; i++) {
            for (size_t j = 0; j < p->n; j++) p->c[i * p->ldc + j] = 0;
        }
    }
    workspace = (WORD *)(((uintptr_t)workspace + 63) / 64 * 64);
    // Where few rows of A meet B, its whole panels are read as they lie.
    bool stays = !image && !p->b_transposed && p->m <= 2 * ROWS;
    for (size_t row = 0; row < p->m; row += BLOCK_ROWS) {
        size_t rows = RING(least)(p->m - row, BLOCK_ROWS);
        for (size_t step = 0; step < p->k; step += STEPS) {
            size_t steps = RING(least)(p->k - step, STEPS);
            WORD *packed_b = workspace + RING(panels)(RING(panels)(rows, ROWS) * steps, LINE);
            RING(pack_a)(p, row, rows, step, steps, workspace);
            for (size_t column = 0; column < p->n; column += BLOCK_COLUMNS) {
                size_t columns = RING(least)(p->n - column, BLOCK_COLUMNS);
                size_t in_place = stays ? columns / COLUMNS * COLUMNS : 0;
                if (image) RING(pack_image)(p, image, column, columns, step, steps, packed_b);
                else RING(pack_b)(p, column + in_place, columns - in_place, step, steps, packed_b + in_place * steps);
                for (size_t i = 0; i < rows; i += ROWS) {
                    for (size_t j = 0; j < columns; j += COLUMNS) {
                        bool lies = j < in_place;
                        RING(tile)(
                            RING(least)(rows - i, ROWS), RING(least)(columns - j, COLUMNS), steps, workspace + i * steps,
                            lies ? p->b + step * p->ldb + column + j : packed_b + j * steps, lies ? p->ldb : COLUMNS,
                            p->c + (row + i) * p->ldc + column + j, p->ldc, p->accumulates || step > 0);
                    }
                }
            }
        }
    }
}

#undef COUNT
#undef IS_SPLIT
#undef VECTORS
#undef ROWS
#undef COLUMNS
#undef STEPS
#undef BLOCK_ROWS
#undef BLOCK_COLUMNS
#undef LINE
#undef vector
#undef WORD
#undef WIDTH
#undef RING
#undef PRODUCT
