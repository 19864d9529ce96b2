#include "products.h"
#include "rows.h"

/// How many vectors' products are held at once: a multiple of the tiles of all instructions.
#define BLOCK 192

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/// The products of `rows` vectors from `row` on with `columns` vectors from `column` on.
static struct kernels_product products(
    const float *vectors, size_t stride, size_t length, bool are_columns, size_t row, size_t rows, size_t column, size_t columns) {
    return (struct kernels_product){
        .m = rows,
        .n = columns,
        .k = length,
        .a = vectors + (are_columns ? row : row * stride),
        .lda = stride,
        .a_transposed = are_columns,
        .b = vectors + (are_columns ? column : column * stride),
        .ldb = stride,
        .b_transposed = !are_columns,
        .ldc = columns};
}

size_t kernels_gram_workspace(struct kernels_gram g, enum kernels_instructions instructions) {
    size_t block = least(g.count, BLOCK);
    size_t a = kernels_gemm_workspace(products(g.a, g.lda, g.a_length, g.a_transposed, 0, block, 0, block), instructions);
    size_t b = kernels_gemm_workspace(products(g.g, g.ldg, g.g_length, g.g_transposed, 0, block, 0, block), instructions);
    return 2 * block * block + (a > b ? a : b);
}

double kernels_gram_sum(struct kernels_gram g, float *workspace, enum kernels_instructions instructions) {
    size_t block = least(g.count, BLOCK);
    float *of_a = workspace, *of_g = workspace + block * block, *rest = workspace + 2 * block * block;
    double sum = 0;
    for (size_t row = 0; row < g.count; row += BLOCK) {
        size_t rows = least(g.count - row, BLOCK);
        for (size_t column = 0; column <= row; column += BLOCK) {
            size_t columns = least(g.count - column, BLOCK);
            struct kernels_product a = products(g.a, g.lda, g.a_length, g.a_transposed, row, rows, column, columns);
            struct kernels_product b = products(g.g, g.ldg, g.g_length, g.g_transposed, row, rows, column, columns);
            a.c = of_a;
            b.c = of_g;
            kernels_gemm(a, rest, instructions);
            kernels_gemm(b, rest, instructions);
            // Each pair of different blocks stands for two.
            sum += (column == row ? 1 : 2) * kernels_dot(rows * columns, of_a, of_g, instructions);
        }
    }
    return sum;
}
