"""Expectations of a normal value by quadrature."""

from __future__ import annotations

import itertools

from scipy import integrate, stats


def quadrature(function, mean, r, scale=1.0):
    """E[function(U)], U ~ N(mean, r²), split around the mean and, at the scale of the gate, around zero."""
    near = [side * scale * 10.0**k for side in (-1, 1) for k in range(6)]
    cuts = sorted({mean - 12 * r, mean - 4 * r, mean, mean + 4 * r, mean + 12 * r, 0.0, *near})
    cuts = [c for c in cuts if mean - 12 * r <= c <= mean + 12 * r]
    density = stats.norm(mean, r).pdf
    return sum(
        integrate.quad(lambda u: function(u) * density(u), low, high, epsabs=1e-14, epsrel=1e-13, limit=400)[0]
        for low, high in itertools.pairwise(cuts)
    )
