#pragma once

// AES in bit slices: slice i holds bit i of each byte of eight blocks, byte p of a slice holding that bit of byte p of all eight. No table, no branch.

#include <stdint.h>

/// Sixteen bytes, one for each byte of a block.
typedef uint8_t slice __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint32_t slice_columns __attribute__((vector_size(16)));
typedef uint64_t slice_words __attribute__((vector_size(16)));

/// The S-box of FIPS 197, section 5.1.1, as a circuit of 113 gates (Boyar and Peralta 2012, "A small depth-16 circuit for the AES S-box"). x[7] holds the highest bits.
static inline __attribute__((always_inline)) void sliced_sbox(slice x[8]) {
    slice u0 = x[7], u1 = x[6], u2 = x[5], u3 = x[4], u4 = x[3], u5 = x[2], u6 = x[1], u7 = x[0];
    slice y14 = u3 ^ u5, y13 = u0 ^ u6, y9 = u0 ^ u3, y8 = u0 ^ u5, t0 = u1 ^ u2, y1 = t0 ^ u7, y4 = y1 ^ u3, y12 = y13 ^ y14, y2 = y1 ^ u0,
          y5 = y1 ^ u6, y3 = y5 ^ y8, t1 = u4 ^ y12, y15 = t1 ^ u5, y20 = t1 ^ u1, y6 = y15 ^ u7, y10 = y15 ^ t0, y11 = y20 ^ y9, y7 = u7 ^ y11,
          y17 = y10 ^ y11, y19 = y10 ^ y8, y16 = t0 ^ y11, y21 = y13 ^ y16, y18 = u0 ^ y16;
    slice t2 = y12 & y15, t3 = y3 & y6, t4 = t3 ^ t2, t5 = y4 & u7, t6 = t5 ^ t2, t7 = y13 & y16, t8 = y5 & y1, t9 = t8 ^ t7, t10 = y2 & y7,
          t11 = t10 ^ t7, t12 = y9 & y11, t13 = y14 & y17, t14 = t13 ^ t12, t15 = y8 & y10, t16 = t15 ^ t12, t17 = t4 ^ t14, t18 = t6 ^ t16,
          t19 = t9 ^ t14, t20 = t11 ^ t16, t21 = t17 ^ y20, t22 = t18 ^ y19, t23 = t19 ^ y21, t24 = t20 ^ y18;
    slice t25 = t21 ^ t22, t26 = t21 & t23, t27 = t24 ^ t26, t28 = t25 & t27, t29 = t28 ^ t22, t30 = t23 ^ t24, t31 = t22 ^ t26, t32 = t31 & t30,
          t33 = t32 ^ t24, t34 = t23 ^ t33, t35 = t27 ^ t33, t36 = t24 & t35, t37 = t36 ^ t34, t38 = t27 ^ t36, t39 = t29 & t38, t40 = t25 ^ t39;
    slice t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40, t44 = t33 ^ t37, t45 = t42 ^ t41;
    slice z0 = t44 & y15, z1 = t37 & y6, z2 = t33 & u7, z3 = t43 & y16, z4 = t40 & y1, z5 = t29 & y7, z6 = t42 & y11, z7 = t45 & y17, z8 = t41 & y10,
          z9 = t44 & y12, z10 = t37 & y3, z11 = t33 & y4, z12 = t43 & y13, z13 = t40 & y5, z14 = t29 & y2, z15 = t42 & y9, z16 = t45 & y14,
          z17 = t41 & y8;
    slice t46 = z15 ^ z16, t47 = z10 ^ z11, t48 = z5 ^ z13, t49 = z9 ^ z10, t50 = z2 ^ z12, t51 = z2 ^ z5, t52 = z7 ^ z8, t53 = z0 ^ z3,
          t54 = z6 ^ z7, t55 = z16 ^ z17, t56 = z12 ^ t48, t57 = t50 ^ t53, t58 = z4 ^ t46, t59 = z3 ^ t54, t60 = t46 ^ t57, t61 = z14 ^ t57,
          t62 = t52 ^ t58, t63 = t49 ^ t58, t64 = z4 ^ t59, t65 = t61 ^ t62, t66 = z1 ^ t63, t67 = t64 ^ t65;
    slice s3 = t53 ^ t66;
    x[7] = t59 ^ t63;
    x[6] = t64 ^ ~s3;
    x[5] = t55 ^ ~t67;
    x[4] = s3;
    x[3] = t51 ^ t66;
    x[2] = t47 ^ t65;
    x[1] = t56 ^ ~t62;
    x[0] = t48 ^ ~t60;
}

/// Exchanges the bits of `mask` in b with those `shift` above them in a.
static inline __attribute__((always_inline)) void sliced_exchange(slice *a, slice *b, int shift, uint64_t mask) {
    slice_words x = (slice_words)*a, y = (slice_words)*b;
    slice_words difference = ((x >> (uint64_t)shift) ^ y) & mask;
    *b = (slice)(y ^ difference);
    *a = (slice)(x ^ difference << (uint64_t)shift);
}

/// Eight blocks to slices, and back: in each byte, bit j of vector i changes places with bit i of vector j.
static inline __attribute__((always_inline)) void sliced_transpose(slice x[8]) {
    for (int i = 0; i < 8; i += 2) sliced_exchange(&x[i], &x[i + 1], 1, 0x5555555555555555);
    for (int i = 0; i < 8; i += 4) {
        for (int j = i; j < i + 2; j++) sliced_exchange(&x[j], &x[j + 2], 2, 0x3333333333333333);
    }
    for (int i = 0; i < 4; i++) sliced_exchange(&x[i], &x[i + 4], 4, 0x0f0f0f0f0f0f0f0f);
}

/// Row r of each block, r bytes behind each column's first, moves r columns (FIPS 197, section 5.1.2).
static inline __attribute__((always_inline)) slice sliced_shift_rows(slice x) {
    slice_columns c = (slice_columns)x;
    return (slice)((c & 0xff) | (__builtin_shufflevector(c, c, 1, 2, 3, 0) & 0xff00) | (__builtin_shufflevector(c, c, 2, 3, 0, 1) & 0xff0000) |
                   (__builtin_shufflevector(c, c, 3, 0, 1, 2) & 0xff000000));
}

/// Byte r of each column becomes byte r + rows of it.
static inline __attribute__((always_inline)) slice sliced_turned(slice x, unsigned rows) {
    slice_columns c = (slice_columns)x;
    return (slice)(c >> (8 * rows) | c << (32 - 8 * rows));
}

/// 2 (a + b) + b + c + d for the bytes a, b, c, d of a column from each on (FIPS 197, section 5.1.3).
static inline __attribute__((always_inline)) void sliced_mix_columns(slice x[8]) {
    slice next[8], sum[8];
    for (int i = 0; i < 8; i++) {
        next[i] = sliced_turned(x[i], 1);
        sum[i] = x[i] ^ next[i];
    }
    for (int i = 0; i < 8; i++) {
        slice doubled = sum[(i + 7) % 8];
        if (i == 1 || i == 3 || i == 4) doubled ^= sum[7];
        x[i] = doubled ^ next[i] ^ sliced_turned(sum[i], 2);
    }
}

/// Encrypts eight blocks.
static inline void sliced_encrypt(const uint8_t keys[11][8][16], slice x[8]) {
    sliced_transpose(x);
    for (int i = 0; i < 8; i++) x[i] ^= *(const slice *)keys[0][i];
    for (int round = 1; round <= 10; round++) {
        sliced_sbox(x);
        for (int i = 0; i < 8; i++) x[i] = sliced_shift_rows(x[i]);
        if (round < 10) sliced_mix_columns(x);
        for (int i = 0; i < 8; i++) x[i] ^= *(const slice *)keys[round][i];
    }
    sliced_transpose(x);
}
