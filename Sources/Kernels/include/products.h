#pragma once

#include "kernels.h"

/// A product of matrices, all row-major: C = op(A) op(B), or C += op(A) op(B). An element of C is a sum in the order of k
/// that depends on its row of op(A), its column of op(B), k and the instructions alone: neither on m and n nor on where it lies.
struct kernels_product {
    /// Rows of op(A) and of C.
    size_t m;
    /// Columns of op(B) and of C.
    size_t n;
    /// Columns of op(A), rows of op(B). Where it is 0, the product is 0.
    size_t k;
    /// A: m rows of k numbers; k rows of m numbers where it is transposed.
    const float *a;
    /// From one row of A to the next, in floats.
    size_t lda;
    /// Whether op(A) is A's transpose.
    bool a_transposed;
    /// B: k rows of n numbers; n rows of k numbers where it is transposed.
    const float *b;
    /// From one row of B to the next, in floats.
    size_t ldb;
    /// Whether op(B) is B's transpose.
    bool b_transposed;
    /// C: m rows of n numbers, apart from A, B and the workspace.
    float *c;
    /// From one row of C to the next, in floats.
    size_t ldc;
    /// Whether the product is added to C. Otherwise C is not read.
    bool accumulates;
    /// Null, or k numbers: the i-th multiplies column i of op(A) before anything else, so that C is op(A) diag(scale) op(B).
    const float *scale;
};

/// How many floats of workspace `kernels_gemm` needs.
size_t kernels_gemm_workspace(struct kernels_product product, enum kernels_instructions instructions);

/// Multiplies two matrices.
void kernels_gemm(struct kernels_product product, float *workspace, enum kernels_instructions instructions);

/// Vectors A_1 ... A_T and G_1 ... G_T, whose outer products summed are a unit's gradient of a layer.
struct kernels_gram {
    /// T.
    size_t count;
    /// The vectors A: a row each, or a column each where transposed.
    const float *a;
    /// From one row to the next, in floats.
    size_t lda;
    /// How many numbers each A has.
    size_t a_length;
    /// Whether each A is a column, as `kernels_im2col` gives them.
    bool a_transposed;
    /// The vectors G: a row each, or a column each where transposed.
    const float *g;
    /// From one row to the next, in floats.
    size_t ldg;
    /// How many numbers each G has.
    size_t g_length;
    /// Whether each G is a column, as a gradient of channels by pixels has them.
    bool g_transposed;
};

/// How many floats of workspace `kernels_gram_sum` needs: not more for more vectors, beyond a few hundred.
size_t kernels_gram_workspace(struct kernels_gram gram, enum kernels_instructions instructions);

/// The sum over all pairs (s, t) of <A_s, A_t> <G_s, G_t>, which is the squared Frobenius norm of the sum of the outer products
/// G_t A_t^T (Goodfellow 2015; Li et al. 2021). Costs T^2 (a_length + g_length) multiplications.
double kernels_gram_sum(struct kernels_gram gram, float *workspace, enum kernels_instructions instructions);
