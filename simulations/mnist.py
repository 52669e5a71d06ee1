"""The MNIST contextual bandit: the agent sees an image, names a digit, and learns only whether it was right.

Protocol [KG §3, DG §3]: policy 784-100-100-10, ReLU; reward R = 1{digit correct}; confidence baseline
b(x) = Σ_a π(a|x)²; Adam, learning rate 1e-3, 100 images a batch, drawn with replacement; test error greedy on the
10,000 test images every 100 updates.

Every seed has its own initialisation, minibatches, actions and gate draws, and the methods share them: differences
between methods are paired by seed. Each run uses one CPU thread, so a table has the same bytes for any number of
workers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import Tensor

from kondo_theory.gate import Gate, delight, gate_probability
from kondo_theory.training import ScreenedStep, Screening
from simulations.datasets import Mnist, load_mnist
from simulations.errors import ReportedError
from simulations.networks import PolicyMLP

__all__ = [
    "METHODS",
    "PRESETS",
    "QUALITY_METHODS",
    "MnistConfig",
    "Preset",
    "preset_configs",
    "run_many",
    "run_one",
    "tidy",
]

KIND = "mnist-learning-curves"

METHODS = {
    "pg": "policy gradient: every sample backpropagated with its advantage",
    "dg": "delightful policy gradient: every sample backpropagated, weighted by σ(χ/η)",
    "dg-k": "Kondo gate at a rate: the top ρ of each batch by delight",
    "zero-price": "Kondo gate at zero price: delight > 0",
    "gate": "Kondo gate at a price and a temperature, drawn as Bernoulli(σ((χ − λ)/η))",
    "cross-entropy": "supervised oracle: the gradient of the cross-entropy to the true label",
}


@dataclass(frozen=True)
class Preset:
    """Sizes of the experiment: updates per run, and how many seeds."""

    updates: int
    seeds: int


PRESETS = {"smoke": Preset(100, 2), "quick": Preset(3_000, 10), "paper": Preset(10_000, 30)}


@dataclass(frozen=True)
class MnistConfig:
    """One run: a method with its settings, the protocol's constants, and a seed.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    rate : float or None
        ρ in (0, 1] for ``dg-k``, None for every other method.
    price, temperature : float or None
        λ and η for ``gate``; η for ``dg`` (1 if not given).
    seed : int
        Seed of every random stream of the run.
    updates, batch_size, eval_every : int
        Optimizer steps, images a step, and steps between evaluations.
    learning_rate : float
        Adam's.
    hidden : tuple of int
        Widths of the hidden layers.

    Raises
    ------
    ValueError
        If a value is outside its range or does not belong to the method; the message names it.
    """

    method: str
    rate: float | None = None
    price: float | None = None
    temperature: float | None = None
    seed: int = 0
    updates: int = 10_000
    batch_size: int = 100
    learning_rate: float = 1e-3
    eval_every: int = 100
    hidden: tuple[int, ...] = (100, 100)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        if (self.rate is not None) != (self.method == "dg-k"):
            raise ValueError(
                f"a rate belongs to dg-k and to it alone, got method {self.method} with rate {self.rate}"
            )
        if (self.price is not None) != (self.method == "gate"):
            raise ValueError(f"a price belongs to gate and to it alone, got method {self.method}, price {self.price}")
        if self.temperature is not None and self.method not in ("gate", "dg"):
            raise ValueError(f"a temperature belongs to gate and dg, got method {self.method}")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature must be finite and at least 0, got {self.temperature}")
        if self.method == "dg" and self.temperature == 0:
            raise ValueError(f"the temperature of dg must be above 0, got {self.temperature}")
        for name in ("updates", "batch_size", "eval_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        self.gate  # refuses a rate, price or temperature out of range  # noqa: B018

    @property
    def gate(self) -> Gate | None:
        """The gate of the method; None where every sample is backpropagated."""
        if self.method == "dg-k":
            return Gate(rate=self.rate)
        if self.method == "zero-price":
            return Gate(price=0.0)
        if self.method == "gate":
            return Gate(price=self.price, temperature=self.temperature or 0.0)
        return None

    @property
    def label(self) -> str:
        """The method's name in tables and figures, e.g. ``DG-K(3 %)``."""
        if self.method == "dg-k":
            return f"DG-K({100 * self.rate:g} %)" if self.rate is not None else "DG-K"
        if self.method == "gate":
            return f"gate(λ={self.price:g}, η={self.temperature or 0.0:g})"
        if self.method == "dg" and self.temperature not in (None, 1.0):
            return f"DG(η={self.temperature:g})"
        return {"pg": "PG", "dg": "DG"}.get(self.method, self.method)

    def streams(self) -> dict[str, int]:
        """Return one 63-bit seed for each random stream, the same for every method."""
        names = ("initialisation", "minibatches", "actions", "gate")
        children = np.random.SeedSequence(self.seed).spawn(len(names))
        return {
            name: int(child.generate_state(1, np.uint64)[0] >> 1) for name, child in zip(names, children, strict=True)
        }


QUALITY_METHODS = (
    MnistConfig("pg"),
    MnistConfig("dg"),
    MnistConfig("dg-k", rate=0.03),
    MnistConfig("zero-price"),
    MnistConfig("cross-entropy"),
)
"""The methods that the claim ``mnist-quality`` compares."""


def run_one(config: MnistConfig, data: Mnist, device: torch.device) -> tuple[pd.DataFrame, float]:
    """Train one policy and return its learning curve and the seconds it took.

    Parameters
    ----------
    config : MnistConfig
    data : Mnist
    device : torch.device

    Returns
    -------
    DataFrame
        One row an evaluation (at update 0, every ``eval_every`` and at the end): update, forward_samples,
        backward_samples (both cumulative counts), flops (cumulative, counted; forward and backward passes of
        training, not of evaluation), test_error (share of the 10,000 test images), train_reward (mean reward since
        the last evaluation, NaN at update 0 and for the oracle, which draws no actions).
    float
        Seconds, evaluation included.
    """
    started = time.perf_counter()
    seeds = config.streams()
    minibatches, actions, gate = (
        torch.Generator(device).manual_seed(seeds[name]) for name in ("minibatches", "actions", "gate")
    )
    images, labels = _to_device(data.train_images, data.train_labels, device)
    test_images, test_labels = _to_device(data.test_images, data.test_labels, device)
    test_pixels = _pixels(test_images)
    policy = PolicyMLP((784, *config.hidden, 10), seed=seeds["initialisation"]).to(device)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate)
    step = ScreenedStep(policy, optimizer, config.gate, generator=actions, gate_generator=gate, check=False)
    rows = [_evaluate(step, test_pixels, test_labels, math.nan)]
    rewards: list[Tensor] = []
    for update in range(1, config.updates + 1):
        index = torch.randint(len(images), (config.batch_size,), generator=minibatches, device=device)
        try:
            rewards.append(_train_batch(config, step, _pixels(images[index]), labels[index]))
        except RuntimeError as error:
            if "probability tensor" not in str(error):  # torch's complaint about a policy of NaN
                raise
            run = f"{config.label}, seed {config.seed}, learning rate {config.learning_rate:g}"
            raise ReportedError(f"{run} diverged: the policy is not a number at update {update}") from error
        if update % config.eval_every == 0 or update == config.updates:
            rows.append(_evaluate(step, test_pixels, test_labels, float(torch.stack(rewards).mean())))
            rewards.clear()
    return pd.DataFrame(rows), time.perf_counter() - started


def run_many(
    configs: Sequence[MnistConfig], *, device: str = "cpu", workers: int = 1, data: Mnist | None = None
) -> Iterator[tuple[int, pd.DataFrame, float]]:
    """Run every configuration, in processes side by side, and yield (index, curve, seconds) as each run ends.

    Parameters
    ----------
    configs : sequence of MnistConfig
    device : str
        A torch device; on a GPU one worker is usually best.
    workers : int
        Processes. They do not change the results: every run has its own streams and a single thread.
    data : Mnist, optional
        Loaded (and fetched if need be) when not given.

    Raises
    ------
    ValueError
        If ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    data = load_mnist() if data is None else data
    jobs: Iterable[Any] = (delayed(_run_indexed)(index, config, data, device) for index, config in enumerate(configs))
    yield from Parallel(n_jobs=min(workers, len(configs) or 1), return_as="generator_unordered")(jobs)


def tidy(configs: Sequence[MnistConfig], curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the curves into one table with the configuration of each run in front, in the order of ``configs``."""
    frames = []
    for config, curve in zip(configs, curves, strict=True):
        columns = {key: value for key, value in asdict(config).items() if key != "hidden"}
        nullable = {key: math.nan if value is None else value for key, value in columns.items()}
        frames.append(curve.assign(label=config.label, **nullable)[["label", *nullable, *curve.columns]])
    return pd.concat(frames, ignore_index=True)


def preset_configs(
    preset: str, methods: Sequence[MnistConfig], seeds: Sequence[int] | None = None, **changes: Any
) -> list[MnistConfig]:
    """Return every method at every seed, at the preset's sizes unless ``changes`` says otherwise."""
    size = PRESETS[preset]
    chosen = range(size.seeds) if seeds is None else seeds
    return [
        replace(method, **({"updates": size.updates} | changes), seed=seed) for method in methods for seed in chosen
    ]


def _train_batch(config: MnistConfig, step: ScreenedStep, pixels: Tensor, labels: Tensor) -> Tensor:
    """Take one update of the method and return the batch's mean reward, a 0-d tensor."""
    if config.method == "cross-entropy":
        # The label stands for the action, at an advantage of one: −mean log π(label) is the cross-entropy.
        one = torch.ones_like(labels, dtype=pixels.dtype)
        step.update(pixels, Screening(labels, surprisal=torch.zeros_like(one)), one)
        return torch.full_like(one[0], math.nan)
    screening = step.act(pixels)
    assert screening.log_policy is not None
    reward = (screening.actions == labels).to(pixels.dtype)
    baseline = screening.log_policy.exp().square().sum(-1)
    advantage = reward - baseline
    weight = None
    if config.method == "dg":
        chi = delight(advantage, screening.surprisal, check=False)
        weight = gate_probability(chi, 0.0, config.temperature or 1.0, check=False)
    step.update(pixels, screening, advantage, weight=weight)
    return reward.mean()


def _evaluate(step: ScreenedStep, pixels: Tensor, labels: Tensor, train_reward: float) -> dict[str, float | int]:
    with torch.no_grad():
        wrong = (step.policy(pixels).argmax(-1) != labels).sum()
    counts = step.counts
    return {
        "update": counts.updates,
        "forward_samples": counts.forward_samples,
        "backward_samples": counts.backward_samples,
        "flops": counts.flops,
        "test_error": int(wrong) / len(labels),
        "train_reward": train_reward,
    }


def _run_indexed(index: int, config: MnistConfig, data: Mnist, device: str) -> tuple[int, pd.DataFrame, float]:
    with _single_thread():
        curve, seconds = run_one(config, data, torch.device(device))
    return index, curve, seconds


@contextmanager
def _single_thread() -> Iterator[None]:
    """Run torch on one CPU thread: the order of a sum, and so its last bits, depends on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _to_device(images: Any, labels: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images.copy()).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def _pixels(images: Tensor) -> Tensor:
    """Return uint8 images (n, 28, 28) as float32 pixels in [0, 1], (n, 784)."""
    return images.flatten(1).to(torch.float32) / 255
