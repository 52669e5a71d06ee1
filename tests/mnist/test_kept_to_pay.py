"""Dividing by the kept would not pay on MNIST: read from the committed moments of the network along training."""

import numpy as np

from kondo_theory.geometry.normalised import kept_to_pay
from kondo_theory.moments import GradientMoments
from simulations.results import load
from simulations.results.tables import COMMITTED

FIELDS = ("signal", "perpendicular_bias", "var_parallel", "var_perpendicular", "cosine")


def medians(rate):
    """How many must be kept, a median over seeds for each stage of the training by DG-K."""
    rows = load(COMMITTED / "mnist-moments-quick.parquet").frame
    own = (rows["path"] == "DG-K(3 %)") & (rows["model"] == "network") & (rows["direction"] == "PG")
    rows = rows[own & (rows["rule"] == "delight") & (rows["rate"] == rate)]
    moments = GradientMoments(*(rows[name].to_numpy() for name in FIELDS))
    found = rows.assign(enough=kept_to_pay(moments, rows["backward_rate"].to_numpy()))
    return found.groupby("target")["enough"].median()


def test_at_three_percent_of_a_hundred_too_few_are_kept_at_every_stage():
    found = medians(0.03)
    assert len(found) == 5
    assert (round(found.min()), round(found.max())) == (9, 83)  # as the claim says; 3 are kept
    assert all(medians(rate).min() > 100 * rate for rate in (0.1, 0.3))


def test_it_does_not_depend_on_the_direction_that_the_variance_is_split_along():
    rows = load(COMMITTED / "mnist-moments-quick.parquet").frame
    rows = rows[(rows["rule"] == "delight") & (rows["model"] == "network") & (rows["rate"] == 0.1)]
    both = [
        kept_to_pay(GradientMoments(*(part[name].to_numpy() for name in FIELDS)), 0.1)
        for part in (rows[rows["direction"] == name] for name in ("PG", "cross-entropy"))
    ]
    np.testing.assert_allclose(*both, rtol=1e-4)
