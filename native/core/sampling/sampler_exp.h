// The numbers of the sampler's exp(), shared by the kernel sets so that they
// agree: exp(x) = 2^n * (1 + r + r^2 q(r)) with n = round(x / ln 2) and
// |r| <= ln 2 / 2. The coefficients of q are a least-squares fit with weights
// driven towards equal relative error, 4e-9 at worst before rounding.
// Arguments are <= 0; those below kExpLowest give 0, so a forbidden token
// weighs nothing at all.
#pragma once

namespace infernode::sampler_exp {

constexpr float kExpLowest = -85.0f;  // exp: 1.2e-37, well inside normal floats
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2High = 0.693359375f;  // 9 bits: n * kLn2High is exact
constexpr float kLn2Low = -2.12194440e-4f;

constexpr float kQ0 = 0x1.fffffcp-2f;
constexpr float kQ1 = 0x1.555492p-3f;
constexpr float kQ2 = 0x1.5558f2p-5f;
constexpr float kQ3 = 0x1.1239e2p-7f;
constexpr float kQ4 = 0x1.6a2434p-10f;

}  // namespace infernode::sampler_exp
