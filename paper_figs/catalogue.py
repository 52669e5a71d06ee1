"""All figures by name: one a claim, or for a pair of them; longer than 300 lines because it lists them all."""

from dataclasses import dataclass
from typing import Literal

from kondo_theory.words import choice

__all__ = ["FIGURES", "FigureEntry", "figure_of"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure: what it shows, the ``module:function`` that draws it (imported only to draw), and what it reads.

    ``reads`` are kinds of tables, ``sweep NAME`` for that of a named sweep. A table is found by what it holds,
    as in ``kondo verify``, never by its file's name. ``width`` is that of a ``column`` of a paper or of its ``page``.
    ``claims`` are those it shows, where it is not named after the only one.
    """

    title: str
    function: str
    reads: tuple[str, ...]
    width: Literal["column", "page"] = "page"
    claims: tuple[str, ...] = ()


FIGURES = {
    "gate-law": FigureEntry(
        "the gate's probability and its value against delight less price",
        "paper_figs.bandits.gate:gate_law",
        ("sweep gate-frequency",),
    ),
    "price-rate-duality": FigureEntry(
        "the value of a rate and its price", "paper_figs.bandits.gate:price_rate_duality", ("sweep rate-value",)
    ),
    "quality-cost-frontier": FigureEntry(
        "cost and quality of the gate over prices and temperatures",
        "paper_figs.bandits.gate:quality_cost_frontier",
        ("sweep price-gates",),
    ),
    "exact-k-or-price": FigureEntry(
        "noise of keeping exactly k samples and of a price at the same rate",
        "paper_figs.bandits.gate:exact_k_or_price",
        ("sweep rate-gates",),
    ),
    "normalised-price-gate": FigureEntry(
        "noise of a gate's sum divided by the batch, of exactly k, and divided by the kept",
        "paper_figs.bandits.normalised_price_gate:normalised_price_gate",
        ("sweep normalised-gates",),
    ),
    "optimal-gate": FigureEntry(
        "cost of signal of the best gate of a rate and of what rules keep",
        "paper_figs.bandits.optimal_gate:optimal_gate",
        ("sweep best-gates",),
    ),
    "stale-actors": FigureEntry(
        "direction of PG, importance weights, DG, zero price on data of other policies (and disfavoured-actions)",
        "paper_figs.bandits.stale_actors:stale_actors",
        ("sweep stale-gates",),
        claims=("stale-actors", "disfavoured-actions"),
    ),
    "unbiased-gates": FigureEntry(
        "cost and error of gates that weight what they keep by 1/w, and the top kept for certain",
        "paper_figs.estimators.unbiased_gates:unbiased_gates",
        (),
    ),
    "least-error-blend": FigureEntry(
        "weight and error of the best blend of PG and zero price, and what estimating it costs",
        "paper_figs.estimators.least_error_blend:least_error_blend",
        (),
    ),
    "optimal-baseline": FigureEntry(
        "noise and cost of signal against the baseline, and the step that the noise allows",
        "paper_figs.estimators.optimal_baseline:optimal_baseline",
        (),
    ),
    "zero-price-geometry": FigureEntry(
        "perpendicular noise and direction of PG, DG and zero price in one context",
        "paper_figs.bandits.geometry:zero_price_geometry",
        ("sweep baselines",),
    ),
    "baseline-dependence": FigureEntry(
        "PG's perpendicular noise over p, K and the baseline",
        "paper_figs.bandits.geometry:baseline_dependence",
        ("sweep baselines",),
    ),
    "dg-noise-ratio": FigureEntry(
        "what DG keeps of PG's perpendicular noise and of its cosine gap",
        "paper_figs.bandits.geometry:dg_noise_ratio",
        ("sweep baselines",),
    ),
    "forward-efficiency": FigureEntry(
        "variance over squared signal, per forward sample and per backward pass",
        "paper_figs.bandits.geometry:forward_efficiency",
        ("sweep baselines",),
    ),
    "backward-passes-to-align": FigureEntry(
        "cosine with the true gradient against forward samples and backward passes",
        "paper_figs.bandits.learning:backward_passes_to_align",
        ("sweep batch-direction", "sweep alignment"),
    ),
    "learning-time": FigureEntry(
        "learning time against the number of arms, in forward and backward batches",
        "paper_figs.bandits.learning:learning_time",
        ("sweep learning-time",),
    ),
    "corner-escape": FigureEntry(
        "time out of a corner in samples, in updates and in backward passes, and where shared logits rest",
        "paper_figs.bandits.corners:corner_escape",
        (),
    ),
    "graded-rewards": FigureEntry(
        "the angle of the zero-price direction under graded rewards",
        "paper_figs.bandits.learning:graded_rewards",
        ("sweep graded",),
    ),
    "additive-threshold": FigureEntry(
        "where additive scores rank failures above successes, and what it costs (and additive-never-fixed)",
        "paper_figs.bandits.screening:additive_scores",
        ("sweep additive-top",),
        claims=("additive-threshold", "additive-never-fixed"),
    ),
    "screening-at-rate": FigureEntry(
        "what every screening rule keeps at a rate, and what it is worth",
        "paper_figs.bandits.screening:screening_at_rate",
        ("sweep screening",),
    ),
    "answer-rules": FigureEntry(
        "what rules on the answers of a group buy per backward pass, with either mean",
        "paper_figs.bandits.answer_rules:answer_rules",
        (),
    ),
    "prompt-skipping": FigureEntry(
        "how often prompts are visited that are skipped by their history, what that saves, and how late they return",
        "paper_figs.bandits.prompt_skipping:prompt_skipping",
        (),
    ),
    "gambling-false-positives": FigureEntry(
        "how often zero price keeps a losing gamble",
        "paper_figs.gambling.gamble:gambling_false_positives",
        ("sweep gambling-kept",),
        "column",
    ),
    "gambling-fixed-point": FigureEntry(
        "what a gambling arm keeps under each gate, its drift, and learning on the phase diagram",
        "paper_figs.gambling.gamble:gambling_fixed_point",
        ("sweep gambling-rest", "sweep gambling", "sweep gambling-drift", "sweep gambling-learning"),
    ),
    "gambling-dg-floor": FigureEntry(
        "DG's floor and drift on a gamble",
        "paper_figs.gambling.gamble:gambling_dg_floor",
        ("sweep gambling", "sweep gambling-drift"),
    ),
    "gambling-top-rate": FigureEntry(
        "rest points of the top-ρ gate on a gamble, and its corner",
        "paper_figs.gambling.rest_points:gambling_top_rate",
        ("sweep gambling-rest", "sweep gambling-drift"),
    ),
    "equal-noise": FigureEntry(
        "drift and rest points with the same noise on both arms",
        "paper_figs.gambling.rest_points:equal_noise",
        ("sweep gambling-drift", "sweep gambling-rest"),
    ),
    "noise-aware-gate": FigureEntry(
        "drift by |advantage| and by a second draw, the floor under a margin, and MNIST with a gambling action",
        "paper_figs.gambling.noise_aware:noise_aware_gate",
        ("sweep noise-aware-drift", "sweep margin-rest", "mnist-gamble"),
    ),
    "gambling-transformer": FigureEntry(
        "easy prompts with noisy rewards: drift left to the others, and final errors on token reversal",
        "paper_figs.reversal.gambling:gambling_transformer",
        ("reversal-gambling",),
    ),
    "context-allocation": FigureEntry(
        "cosine to cross-entropy over many contexts, under three baselines",
        "paper_figs.bandits.contexts:context_allocation",
        ("sweep contexts",),
    ),
    "step-cost": FigureEntry(
        "speed-up against the backward cost, and rows that survive a token gate",
        "paper_figs.bandits.cost:step_cost",
        ("sweep survival",),
    ),
    "approximate-delight": FigureEntry(
        "backward rate, perpendicular noise and cosine under noisy delight",
        "paper_figs.bandits.cost:approximate_delight",
        ("sweep noise",),
    ),
    "token-trap": FigureEntry(
        "the rate below which a gate on tokens stalls over tokens and vocabulary, its drift, and the stall point",
        "paper_figs.tokens.trap:token_trap",
        ("reversal-token-trap", "reversal-quality", "sweep token-runs", "sweep token-trap"),
    ),
    "tokens-stall": FigureEntry(
        "why a gate on tokens stalls: what it keeps of a lucky answer, and where that turns the drift",
        "paper_figs.tokens.stall:tokens_stall",
        (),
        claims=("token-trap",),
    ),
    "row-gate": FigureEntry(
        "drift of the token, row and zero-price gates, and the row gate with a group's mean as the baseline",
        "paper_figs.tokens.trap:row_gate",
        ("sweep token-learning",),
    ),
    "token-dg": FigureEntry(
        "temperatures at which DG on tokens stalls",
        "paper_figs.tokens.trap:token_dg",
        ("sweep token-windows", "sweep token-trap", "sweep token-runs"),
    ),
    "token-screening": FigureEntry(
        "what each screening rule keeps of PG's drift on tokens, and where it stalls",
        "paper_figs.tokens.screening:token_screening",
        ("sweep token-rules",),
    ),
    "mnist-quality": FigureEntry(
        "test error on the MNIST bandit against forward and backward samples",
        "paper_figs.mnist.quality:mnist_quality",
        ("mnist-learning-curves",),
    ),
    "mnist-decomposition": FigureEntry(
        "noise and direction of every method in the network's parameters, along training",
        "paper_figs.mnist.moments:mnist_decomposition",
        ("mnist-moments",),
    ),
    "mnist-screening": FigureEntry(
        "signal per backward pass of every screening rule in the network's parameters, along training",
        "paper_figs.mnist.moments:mnist_screening",
        ("mnist-moments",),
    ),
    "mnist-neighbours": FigureEntry(
        "1/c, what backward passes buy, of every rule and estimate of one sample, against the bias of its mean",
        "paper_figs.mnist.neighbours:mnist_neighbours",
        ("mnist-neighbours",),
        claims=("mnist-screening",),
    ),
    "mnist-savings": FigureEntry(
        "a screened step's seconds over a full one's by batch and width, and cost to 5 % error",
        "paper_figs.mnist.savings:mnist_savings",
        ("mnist-learning-curves", "mnist-cost"),
    ),
    "mnist-approximate-delight": FigureEntry(
        "final error and seconds by what screens the batch, and the error under noisy delight",
        "paper_figs.mnist.approximate:mnist_approximate",
        ("mnist-noise", "mnist-screeners"),
    ),
    "mnist-recall": FigureEntry(
        "what cheap screeners and noisy delight keep of the exact top 3 %",
        "paper_figs.mnist.recall:mnist_recall",
        ("mnist-noise", "mnist-screeners"),
        claims=("mnist-approximate-delight",),
    ),
    "mnist-cascade": FigureEntry(
        "cheap scores with exact delight near the price: recall by window, forward passes, and the best price",
        "paper_figs.mnist.cascade:mnist_cascade",
        ("mnist-cascade",),
        claims=("cascade", "decision-price"),
    ),
    "mnist-digits": FigureEntry(
        "the digits with the highest and the lowest delight, early and late in training",
        "paper_figs.mnist.digits:mnist_digits",
        ("mnist-digits",),
        claims=("mnist-approximate-delight",),
    ),
    "mnist-batch": FigureEntry(
        "a batch on the plane of advantage and surprisal, early and late in training, and what is kept",
        "paper_figs.mnist.plane:mnist_batch",
        ("mnist-batch",),
        claims=("mnist-quality",),
    ),
    "mnist-learning-rate": FigureEntry(
        "final test error on the MNIST bandit against the learning rate",
        "paper_figs.learning_rates:mnist_learning_rate",
        ("sweep mnist-learning-rate",),
        "column",
        claims=("mnist-quality",),
    ),
    "reversal-quality": FigureEntry(
        "token error on token reversal of five methods against answers sampled and tokens kept",
        "paper_figs.reversal.quality:reversal_quality",
        ("reversal-quality",),
    ),
    "reversal-quality-supplement": FigureEntry(
        "token error on token reversal of every method against answers, kept tokens, processed positions and seconds",
        "paper_figs.reversal.quality:reversal_quality_supplement",
        ("reversal-quality", "reversal-step-times"),
        claims=("reversal-quality",),
    ),
    "reversal-sensitivity": FigureEntry(
        "final token error on token reversal with every screening rule, and by the reward",
        "paper_figs.reversal.sensitivity:reversal_sensitivity",
        ("reversal-screening", "reversal-reward", "reversal-quality"),
        claims=("reversal-quality",),
    ),
    "reversal-screening": FigureEntry(
        "where the transformer's token gates stall by other screening rules, and the errors of those that learn",
        "paper_figs.tokens.screening:reversal_screening",
        ("reversal-screening", "reversal-screening-tasks"),
    ),
    "reversal-learning-rate": FigureEntry(
        "final token error on token reversal against the learning rate",
        "paper_figs.learning_rates:reversal_learning_rate",
        ("reversal-learning-rate",),
        "column",
        claims=("reversal-quality",),
    ),
    "reversal-protocols": FigureEntry(
        "sequence errors under every protocol of the grid, and the nearest one's training",
        "paper_figs.reversal.protocols:reversal_protocols",
        ("reversal-protocols",),
    ),
    "reversal-token-trap": FigureEntry(
        "where the transformer's token gates stall, against predictions (and reversal-row-gate)",
        "paper_figs.reversal.trap:reversal_token_trap",
        ("reversal-token-trap", "reversal-quality"),
        claims=("reversal-token-trap", "reversal-row-gate"),
    ),
    "reversal-row-gates": FigureEntry(
        "row condition, cost of signal and drift of gates on answers and tokens along the transformer's training",
        "paper_figs.reversal.row_gates:reversal_row_gates",
        ("reversal-row-gates",),
        claims=("autoregressive-rows", "optimal-gate"),
    ),
    "reversal-physical-cost": FigureEntry(
        "what the gates keep and what they process, an update's time by phase and by the size of the batch",
        "paper_figs.reversal.cost:reversal_physical_cost",
        ("reversal-quality", "reversal-step-times"),
    ),
    "reversal-scaling": FigureEntry(
        "the longest prompt and the largest vocabulary solved within a budget of rows",
        "paper_figs.reversal.scaling:reversal_scaling",
        ("reversal-scaling",),
    ),
    "reversal-speedup": FigureEntry(
        "what the row gate saves over PG on token reversal as it gets harder, against the cost of a backward pass",
        "paper_figs.reversal.speedup:reversal_speedup",
        ("reversal-speedup", "reversal-quality"),
    ),
    "reversal-tasks": FigureEntry(
        "errors of every method on copying, flipping, reversing and reverse flipping, and on a task and its flip",
        "paper_figs.reversal.tasks:reversal_tasks",
        ("reversal-tasks", "reversal-reward"),
    ),
    "reversal-stale": FigureEntry(
        "token error on token reversal where others wrote the answers: with late actors, and at the end by friction",
        "paper_figs.reversal.stale:reversal_stale",
        ("reversal-stale",),
        claims=("stale-actors",),
    ),
    "when-it-saves": FigureEntry(
        "a gated update's seconds over a full one's, by batch and width and by batch and device",
        "paper_figs.across.when_it_saves:when_it_saves",
        ("mnist-cost", "reversal-step-times"),
        claims=("mnist-savings", "reversal-physical-cost"),
    ),
    "hero": FigureEntry(
        "what the gate keeps of a batch, the backward samples it saves, and where it stalls on tokens",
        "paper_figs.across.hero:hero",
        ("mnist-batch", "mnist-learning-curves", "reversal-token-trap", "reversal-quality"),
        claims=("mnist-quality", "reversal-token-trap"),
    ),
    "language-model-savings": FigureEntry(
        "a language model's step by phase and by rows kept, against the physical model",
        "paper_figs.language_model.cost:language_model_savings",
        ("language-model-cost",),
    ),
    "language-model-quality": FigureEntry(
        "reward of a language model against updates, answers that went backward and seconds",
        "paper_figs.language_model.learning:language_model_quality",
        ("language-model-learning",),
    ),
    "language-model-token-trap": FigureEntry(
        "what each gate gained in training a language model against its alignment at the pretrained policy",
        "paper_figs.language_model.predictions:language_model_token_trap",
        ("language-model-learning", "language-model-methods", "language-model-frozen"),
    ),
    "language-model-delight": FigureEntry(
        "where a language model ends on an eighth and a quarter of the answers, by what ranks them",
        "paper_figs.language_model.learning:language_model_delight",
        ("language-model-learning", "language-model-methods"),
    ),
    "language-model-lucky-answer": FigureEntry(
        "answers of a pretrained language model, token by token in the colour of its delight",
        "paper_figs.language_model.lucky:language_model_lucky_answer",
        ("language-model-answers",),
        "column",
        claims=("language-model-delight", "language-model-token-trap"),
    ),
    "device-agreement": FigureEntry(
        "each method's error over training on a GPU over that on a CPU",
        "paper_figs.devices:device_agreement",
        ("mnist-learning-curves", "reversal-quality"),
    ),
    "autoregressive-rows": FigureEntry(
        "drift and end of training on whole answers whose second token depends on the first",
        "paper_figs.tokens.autoregressive_rows:autoregressive_rows",
        ("sweep row-dependence",),
        "page",
    ),
    "temperature-robustness": FigureEntry(
        "shares kept at the batch's quantile, and errors over temperatures (and quantile-bernoulli-gate)",
        "paper_figs.across.temperatures:temperature_robustness",
        ("mnist-temperature", "reversal-temperature"),
        "page",
        ("temperature-robustness", "quantile-bernoulli-gate"),
    ),
    "screening-ties": FigureEntry(
        "what a gate keeps that keeps ties at the k-th score, and the errors it ends at on token reversal",
        "paper_figs.tokens.screening_ties:screening_ties",
        ("reversal-screening-ties", "reversal-screening", "reversal-quality"),
        "page",
    ),
    "token-rules": FigureEntry(
        "drift by rules on tokens: positions alike, learnt ones beside open ones, open ones beside free ones",
        "paper_figs.tokens.token_rules:token_rules",
        (),
    ),
    "decision-price": FigureEntry(
        "what a gate gains against its price, and against the noise of its scores (and cascade)",
        "paper_figs.bandits.decision_price:decision_price",
        (),
        claims=("decision-price", "cascade"),
    ),
    "stall-escape": FigureEntry(
        "How long a stall lasts: exponential in B over the learning rate, tokens together; free ones leave sooner",
        "paper_figs.tokens.stall_escape:stall_escape",
        ("sweep token-escape", "reversal-stall-escape"),
        "page",
    ),
    "gates-under-adam": FigureEntry(
        "Adam's mean steps in one context, predicted gains along training on MNIST, and gates trained at 3 %",
        "paper_figs.bandits.gates_under_adam:gates_under_adam",
        ("mnist-adam", "mnist-curves"),
        "page",
    ),
    "all-or-nothing": FigureEntry(
        "drift of a right logit where parts or whole answers are paid, and the token gate in training at both",
        "paper_figs.tokens.all_or_nothing:all_or_nothing",
        ("reversal-protocols",),
        "page",
    ),
}


def figure_of(name: str) -> str:
    """Return the figure of this name, or the one that shows the claim of this name.

    Raises
    ------
    ValueError
        If there is neither.
    """
    shown = {claim: figure for figure, entry in reversed(FIGURES.items()) for claim in entry.claims}
    return name if name in FIGURES else shown[choice("figure", name, (*FIGURES, *(shown.keys() - FIGURES.keys())))]
