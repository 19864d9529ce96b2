#pragma once

#include "kernels.h"
#include "convolution.h"

/// A product of matrices of integers modulo 2^64, all row-major: C = op(A) op(B), C += op(A) op(B). Exact, whatever the instructions.
/// The steps taken depend on the sizes alone, never on the numbers.
struct kernels_ring64_product {
    /// Rows of op(A) and of C.
    size_t m;
    /// Columns of op(B) and of C.
    size_t n;
    /// Columns of op(A), rows of op(B). Where it is 0, the product is 0.
    size_t k;
    /// A: m rows of k numbers; k rows of m numbers where it is transposed.
    const uint64_t *a;
    /// From one row of A to the next, in numbers.
    size_t lda;
    /// Whether op(A) is A's transpose.
    bool a_transposed;
    /// B: k rows of n numbers; n rows of k numbers where it is transposed.
    const uint64_t *b;
    /// From one row of B to the next, in numbers.
    size_t ldb;
    /// Whether op(B) is B's transpose.
    bool b_transposed;
    /// C: m rows of n numbers, apart from A, B and the workspace.
    uint64_t *c;
    /// From one row of C to the next, in numbers.
    size_t ldc;
    /// Whether the product is added to C. Otherwise C is not read.
    bool accumulates;
};

/// As `kernels_ring64_product`, modulo 2^32.
struct kernels_ring32_product {
    /// Rows of op(A) and of C.
    size_t m;
    /// Columns of op(B) and of C.
    size_t n;
    /// Columns of op(A), rows of op(B).
    size_t k;
    /// A.
    const uint32_t *a;
    /// From one row of A to the next, in numbers.
    size_t lda;
    /// Whether op(A) is A's transpose.
    bool a_transposed;
    /// B.
    const uint32_t *b;
    /// From one row of B to the next, in numbers.
    size_t ldb;
    /// Whether op(B) is B's transpose.
    bool b_transposed;
    /// C.
    uint32_t *c;
    /// From one row of C to the next, in numbers.
    size_t ldc;
    /// Whether the product is added to C.
    bool accumulates;
};

/// How many 64-bit words of workspace `kernels_ring64_multiply` needs.
size_t kernels_ring64_workspace(struct kernels_ring64_product product, enum kernels_instructions instructions);

/// Multiplies two matrices modulo 2^64.
void kernels_ring64_multiply(struct kernels_ring64_product product, uint64_t *workspace, enum kernels_instructions instructions);

/// How many 32-bit words of workspace `kernels_ring32_multiply` needs.
size_t kernels_ring32_workspace(struct kernels_ring32_product product, enum kernels_instructions instructions);

/// Multiplies two matrices modulo 2^32.
void kernels_ring32_multiply(struct kernels_ring32_product product, uint32_t *workspace, enum kernels_instructions instructions);

/// How many 64-bit words of workspace `kernels_ring64_convolve` needs.
size_t kernels_ring64_convolution_workspace(struct kernels_convolution convolution, enum kernels_instructions instructions);

/// Writes a convolution's output modulo 2^64, or adds it where `accumulates`: images N C H W, weights O (C / groups) KH KW, output N O OH OW. The unfolded
/// image is packed a block at a time and never in memory as a whole.
void kernels_ring64_convolve(
    struct kernels_convolution convolution, const uint64_t *input, const uint64_t *weights, bool accumulates, uint64_t *output,
    uint64_t *workspace, enum kernels_instructions instructions);
