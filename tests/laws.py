"""Tests of samples against laws."""

import numpy as np
from scipy import stats

__all__ = ["law_p_value"]


def law_p_value(sample, law):
    """P value of a chi-square test on at most 200 cells of nearly equal probability."""
    edges = np.unique(law.ppf(np.linspace(0, 1, 201)[1:-1]))
    cumulative = np.searchsorted(np.sort(sample), edges, side="right")
    observed = np.diff(np.concatenate([[0], cumulative, [sample.size]]))
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]])) * sample.size
    observed, expected = observed[expected > 1e-6], expected[expected > 1e-6]
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), expected.size - 1)
