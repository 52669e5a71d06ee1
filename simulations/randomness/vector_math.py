"""Elementary loops over short vectors, written so that the compiler can use SIMD instructions.

Numba without Intel's SVML calls the scalar ``exp`` and keeps sums in one chain of dependent additions; both cost
more than the random numbers of a learning step. The order of operations here is fixed by the source and no
contraction is allowed, so equal inputs give equal outputs wherever they stand, on any vector width.
"""

import numpy as np

from simulations.randomness.compiling import inlined
from simulations.randomness.streams import FloatArray

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # with 21 trailing zero bits, so that a small integer times it is exact
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5·2^52: adding it leaves the nearest integer in the low bits of the double
_MANTISSA_BITS = 52  # the exponent of a double stands above them
_SMALLEST, _LARGEST = -708.0, 709.0  # whole numbers between the logarithms of the least and largest normal double


@inlined
def exp_into(x: FloatArray, out: FloatArray, scratch: FloatArray) -> None:
    """Write exp(x) to ``out``, all of shape (n,) and contiguous, within 2 units in the last place.

    ``x`` is clipped to [−708, 709], where the result is a normal double; ``scratch`` may not be ``out``.
    """
    for i in range(x.size):
        y = min(max(x[i], _SMALLEST), _LARGEST)
        rounded = y * _LOG2_E + _ROUND
        n = rounded - _ROUND
        r = (y - n * _LN2_HIGH) - n * _LN2_LOW
        # Taylor's polynomial, Σ rⁿ/n! up to n = 13: |r| ≤ ln(2)/2 makes the next term 4e-18.
        p = 1.0 / 479001600 + r * (1.0 / 6227020800)
        p = 1.0 / 3628800 + r * (1.0 / 39916800 + r * p)
        p = 1.0 / 40320 + r * (1.0 / 362880 + r * p)
        p = 1.0 / 720 + r * (1.0 / 5040 + r * p)
        p = 1.0 / 24 + r * (1.0 / 120 + r * p)
        p = 0.5 + r * (1.0 / 6 + r * p)
        out[i] = 1.0 + r * (1.0 + r * p)
        scratch[i] = rounded
    bits, exponents = out.view(np.int64), scratch.view(np.int64)
    for i in range(x.size):
        bits[i] += exponents[i] << _MANTISSA_BITS


@inlined
def total(x: FloatArray) -> float:
    """Sum of ``x``, shape (n,), in four independent chains."""
    a = b = c = d = 0.0
    end = x.size - x.size % 4
    for i in range(0, end, 4):
        a += x[i]
        b += x[i + 1]
        c += x[i + 2]
        d += x[i + 3]
    for i in range(end, x.size):
        a += x[i]
    return (a + b) + (c + d)


@inlined
def largest(x: FloatArray) -> float:
    """Maximum of ``x``, shape (n,), n ≥ 1, in four independent chains."""
    a = b = c = d = x[0]
    end = x.size - x.size % 4
    for i in range(0, end, 4):
        a = max(a, x[i])
        b = max(b, x[i + 1])
        c = max(c, x[i + 2])
        d = max(d, x[i + 3])
    for i in range(end, x.size):
        a = max(a, x[i])
    return max(max(a, b), max(c, d))
