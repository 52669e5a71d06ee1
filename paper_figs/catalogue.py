"""All figures by name: one for each claim, or for a pair of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kondo_theory.words import choice

__all__ = ["FIGURES", "FigureEntry", "draw"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure: what it shows, and the ``module:function`` that draws it (imported only to draw)."""

    title: str
    function: str


FIGURES = {
    "gate-law": FigureEntry(
        "the gate's probability and its value against delight less price", "paper_figs.gate:gate_law"
    ),
    "price-rate-duality": FigureEntry("the value of a rate and its price", "paper_figs.gate:price_rate_duality"),
    "quality-cost-frontier": FigureEntry(
        "cost and quality of the gate over prices and temperatures", "paper_figs.gate:quality_cost_frontier"
    ),
    "exact-k-or-price": FigureEntry(
        "noise of keeping exactly k samples and of a price at the same rate", "paper_figs.gate:exact_k_or_price"
    ),
    "zero-price-geometry": FigureEntry(
        "perpendicular noise and direction of PG, DG and zero price in one context",
        "paper_figs.geometry:zero_price_geometry",
    ),
    "baseline-dependence": FigureEntry(
        "PG's perpendicular noise over p, K and the baseline",
        "paper_figs.geometry:baseline_dependence",
    ),
    "dg-noise-ratio": FigureEntry(
        "what DG keeps of PG's perpendicular noise and of its cosine gap",
        "paper_figs.geometry:dg_noise_ratio",
    ),
    "forward-efficiency": FigureEntry(
        "variance over squared signal, per forward sample and per backward pass",
        "paper_figs.geometry:forward_efficiency",
    ),
    "backward-passes-to-align": FigureEntry(
        "cosine with the true gradient against forward samples and backward passes",
        "paper_figs.learning:backward_passes_to_align",
    ),
    "learning-time": FigureEntry(
        "learning time against the number of arms, in forward and backward batches",
        "paper_figs.learning:learning_time",
    ),
    "graded-rewards": FigureEntry(
        "the angle of the zero-price direction under graded rewards",
        "paper_figs.learning:graded_rewards",
    ),
    "additive-threshold": FigureEntry(
        "where additive scores rank failures above successes, and what it costs (and additive-never-fixed)",
        "paper_figs.screening:additive_scores",
    ),
    "screening-at-rate": FigureEntry(
        "what every screening rule keeps at a rate, and what it is worth", "paper_figs.screening:screening_at_rate"
    ),
    "gambling-false-positives": FigureEntry(
        "how often zero price keeps a losing gamble", "paper_figs.gambling:gambling_false_positives"
    ),
    "gambling-fixed-point": FigureEntry(
        "what a gambling arm keeps under each gate, its drift, and learning on the phase diagram",
        "paper_figs.gambling:gambling_fixed_point",
    ),
    "gambling-dg-floor": FigureEntry("DG's floor and drift on a gamble", "paper_figs.gambling:gambling_dg_floor"),
    "gambling-top-rate": FigureEntry(
        "rest points of the top-ρ gate on a gamble, and its corner", "paper_figs.gambling:gambling_top_rate"
    ),
    "equal-noise": FigureEntry(
        "drift and rest points with the same noise on both arms", "paper_figs.gambling:equal_noise"
    ),
    "context-allocation": FigureEntry(
        "cosine to cross-entropy over many contexts, under three baselines",
        "paper_figs.contexts:context_allocation",
    ),
    "step-cost": FigureEntry(
        "speed-up against the backward cost, and rows that survive a token gate", "paper_figs.cost:step_cost"
    ),
    "approximate-delight": FigureEntry(
        "backward rate, perpendicular noise and cosine under noisy delight", "paper_figs.cost:approximate_delight"
    ),
    "token-trap": FigureEntry(
        "where a fixed-rate gate on tokens stalls: rate against tokens, and the stall point",
        "paper_figs.tokens:token_trap",
    ),
    "row-gate": FigureEntry(
        "drift of the token, row and zero-price gates, and the row gate with a group's mean as the baseline",
        "paper_figs.tokens:row_gate",
    ),
    "token-dg": FigureEntry(
        "temperatures at which DG on tokens stalls",
        "paper_figs.tokens:token_dg",
    ),
    "token-screening": FigureEntry(
        "what each screening rule keeps of PG's drift on tokens, and where it stalls",
        "paper_figs.token_screening:token_screening",
    ),
    "mnist-quality": FigureEntry(
        "test error on the MNIST bandit against forward and backward samples",
        "paper_figs.experiments:mnist_quality",
    ),
    "mnist-decomposition": FigureEntry(
        "noise and direction of every method in the network's parameters, along training",
        "paper_figs.network_moments:mnist_decomposition",
    ),
    "mnist-screening": FigureEntry(
        "signal per backward pass of every screening rule in the network's parameters, along training",
        "paper_figs.network_moments:mnist_screening",
    ),
    "mnist-savings": FigureEntry(
        "cost to 5 % error against the backward cost, and seconds and bytes of full and screened steps",
        "paper_figs.mnist:mnist_savings",
    ),
    "mnist-approximate-delight": FigureEntry(
        "recall, error and seconds under noisy delight and cheap screeners",
        "paper_figs.mnist_approximate:mnist_approximate",
    ),
    "mnist-digits": FigureEntry(
        "the digits with the highest and the lowest delight, early and late in training",
        "paper_figs.mnist_approximate:mnist_digits",
    ),
    "mnist-learning-rate": FigureEntry(
        "final test error on the MNIST bandit against the learning rate",
        "paper_figs.learning_rates:mnist_learning_rate",
    ),
    "reversal-quality": FigureEntry(
        "token error on token reversal against rows, kept tokens, processed positions and seconds",
        "paper_figs.reversal:reversal_quality",
    ),
    "reversal-sensitivity": FigureEntry(
        "final token error on token reversal with every screening rule, and by the reward",
        "paper_figs.reversal_sensitivity:reversal_sensitivity",
    ),
    "reversal-screening": FigureEntry(
        "where the transformer's token gates stall by other screening rules, and the errors of those that learn",
        "paper_figs.token_screening:reversal_screening",
    ),
    "reversal-learning-rate": FigureEntry(
        "final token error on token reversal against the learning rate",
        "paper_figs.learning_rates:reversal_learning_rate",
    ),
    "reversal-token-trap": FigureEntry(
        "where the transformer's token gates stall, against predictions (and reversal-row-gate)",
        "paper_figs.reversal:reversal_token_trap",
    ),
    "reversal-physical-cost": FigureEntry(
        "what the gates keep and what they process, an update's time by phase and by the size of the batch",
        "paper_figs.reversal:reversal_physical_cost",
    ),
    "reversal-scaling": FigureEntry(
        "the longest prompt and the largest vocabulary solved within a budget of rows",
        "paper_figs.reversal_scaling:reversal_scaling",
    ),
    "device-agreement": FigureEntry(
        "each method's error over training on a GPU over that on a CPU", "paper_figs.devices:device_agreement"
    ),
}


def draw(names: Iterable[str] | None, out: Path, results: Path | None = None) -> Iterator[Path]:
    """Draw figures as PDF and PNG into ``out`` and yield each path as it is written.

    Simulated points are those of the committed tables, or of ``results/NAME.parquet`` or ``results/*/NAME.parquet``
    where there is one.

    Raises
    ------
    ValueError
        If a name is unknown, ``out`` cannot be written, or a table in ``results`` lacks what a figure shows.
    """
    wanted = list(FIGURES) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        choice("figure", name, FIGURES)
    from simulations.results import require_writable

    for name in wanted:
        for suffix in (".pdf", ".png"):
            require_writable(out / f"{name}{suffix}", overwrite=True)
    return _draw(wanted, out, results)


def _draw(wanted: list[str], out: Path, results: Path | None) -> Iterator[Path]:
    import matplotlib as mpl

    mpl.use("Agg")  # no window, whatever the machine
    from matplotlib import pyplot as plt

    from paper_figs.style import paper_style
    from paper_figs.tables import results_from
    from simulations.results import atomic_path

    for name in wanted:
        module, function = FIGURES[name].function.split(":")
        with paper_style():
            with results_from(results):
                figure = getattr(importlib.import_module(module), function)()
            for suffix in (".pdf", ".png"):
                path = out / f"{name}{suffix}"
                # No date in the file: the same numbers give the same bytes.
                metadata = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
                with atomic_path(path) as temporary:
                    figure.savefig(temporary, metadata=metadata)
                yield path
        plt.close(figure)
