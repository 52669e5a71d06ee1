"""Claims about data that another policy drew: an older learner, broken actors, corrupted rewards."""

from kondo_theory.claims.registry import MEDIAN_RULE, SIMULATED, SIMULATED_RULE, Claim, Criterion, DecisionRule

__all__ = ["CLAIMS"]

_RESTS = (
    "PPO",
    "zero-price",
    "token gate(30 %)",
    "token gate(30 %), actor's surprisal",
    "row gate(3 %)",
    "row gate(3 %), actor's surprisal",
)
_LEARN = (
    *(("late actors", label, 5.0) for label in ("PG", "PG, tokens' weights", "DG")),
    *(
        ("broken answers", label, 5.0)
        for label in ("PG", "PG, answers' weights", "DG", "DG, actor's surprisal", "zero-price")
    ),
    *(("false pay", label, 10.0) for label in ("PG", "DG", "zero-price", "token gate(30 %)")),
    ("all three", "PG", 10.0),
)
_ON_ANSWERS = (
    *(
        Criterion(
            f"token error at the end of the first delay, {label}, less the predicted (percentage points)",
            low=-8.0,
            high=8.0,
            why="it rests where its mean gradient on the first actors' answers vanishes; eight points for a finite "
            "batch and time",
        )
        for label in _RESTS
    ),
    *(
        Criterion(
            f"token error at the end of the first delay, {label} (percent)",
            high=15.0,
            strict=True,
            why="no rest above 1 %: well below the lowest of those that rest",
        )
        for label in ("PG", "DG")
    ),
    Criterion(
        "token error at the end of the first delay, token gate(30 %), actor's − learner's surprisal "
        "(percentage points)",
        high=0.0,
        strict=True,
        why="the learner's lets in the rare wrong tokens of lucky answers",
    ),
    *(
        Criterion(
            f"final token error, {label}, {where} (percent)",
            high=most,
            why="it learns: a mean of the actors' own answers leaves PG no bias, and few false payments outrank it",
        )
        for where, label, most in _LEARN
    ),
    *(
        Criterion(
            f"final token error, row gate(3 %), {where} (percent)",
            low=35.0,
            why="all that it keeps is paid by mistake; the drift vanishes near 45 %",
        )
        for where in ("false pay", "all three")
    ),
    Criterion(
        "final sequence error, zero-price, all three (percent)",
        low=3.0,
        why="it rests at 4.3 %, the error of what is paid",
    ),
    Criterion(
        "final sequence error, DG − zero-price, all three (percentage points)",
        high=0.0,
        strict=True,
        why="DG's floor is lower: it weighs failures, and those of the same tokens are the more",
    ),
)

CLAIMS = (
    Claim(
        id="stale-actors",
        statement=(
            "Arms drawn from any μ with μ_y > 0, scored under the learner: zero price has the mean (1−b)μ_y·d, the "
            "direction of ∇J in every context, nothing across it, and the noise {zero_price_noise} over squared "
            "signal; PG has μ_y·d + b(π−μ), so that its baseline turns it; importance weights restore PG's mean at "
            "the second moment (1+χ²)·E_τ‖Uφ‖², τ ∝ π²/μ. Actors that play at random bring zero price's weights of "
            "contexts closer to cross-entropy's; PG moves by {pg_coefficient} there. DG makes little of a broken "
            "actor's failures by the learner's surprisal alone: by the actor's their weight stays above "
            "{least_weight}."
        ),
        source="here",
        regime=(
            "one correct arm, rewards 0 or 1, a constant baseline 0 ≤ b < 1, expected gradients in the logits; "
            "random actors: symmetric contexts of one K; the least weight: actors that play one wrong arm, a share "
            "δ of the samples. With the mean of what the actors were paid as baseline, as a group's is, PG "
            "never turns away from ∇J. Zero price is as noisy as its successes are rare, and so are "
            "importance weights. "
            "Where unpaid samples are paid with probability r it is exact on policy alone; for a fixed μ it "
            "imitates what was paid, and ends at the error r(1−μ_y)/(μ_y+r(1−μ_y)). Where a share δ of the samples "
            "comes from actors that are never right and the rest from the learner it rests at {floor_never_right} "
            "(at 1 from r + δ = 1 on), below it the mean gradient points away; PG with b ≥ r has no such floor, DG "
            "has one. A rate gate is exact while ρ ≤ μ_y; beyond, the learner's surprisal lets in the failures "
            "that it finds likeliest, the actor's the broken actor's arm first. DG weighs the learner's own "
            "failures unequally and can be farther from ∇J than PG, mostly where actors are hardly broken"
        ),
        rule=DecisionRule(
            statistic=SIMULATED_RULE + "; on token reversal: " + MEDIAN_RULE,
            undecided="a standard error above the resolution, or an interval that straddles its margin",
            judged_from={"updates": 250, "seeds": 2},
            criteria=_ON_ANSWERS,
        ),
        formulas={
            "zero_price_noise": "(1−μ_y)/μ_y",
            "pg_coefficient": "(1−δ)p + δ/K + bδ(p−1/K)/ε",
            "least_weight": "δ^{b/η}/(1+δ^{b/η})",
            "floor_never_right": "rδ/((1−r)(1−δ))",
        },
    ),
    Claim(
        id="disfavoured-actions",
        statement=(
            "DG's weight of a failing action, x = π(a) and u = |U|, is below {bound} for every u and η > 0; its "
            "square is below x, so that failures add no more than the overlap Σμ_aπ_a of actor and learner, if u ≥ "
            "η/2. Where a broken actor's failures push across the signal, cos DG/cos PG grows as "
            "{growth}·π_j^{−b/η} while π(y*) → 1. A weight of x and u alone treats a rare failure as it treats a "
            "rare success, DG does not: their weights have the ratio {sign_ratio}."
        ),
        source="DDG Lemma 1, Cor. 1, Prop. 3; bounds here",
        regime=(
            "one correct arm, rewards 0 or 1, a constant baseline 0 < b < 1, the learner's surprisal, a share δ of "
            "the samples from broken actors, expected gradients. Below u = η/2 the square exceeds x for unlikely "
            "actions. Corollary 1 does not hold in a tabular context with one correct arm: while μ_y ≥ bδ PG's "
            "cosine is at least (1+q·ν)/√((1+‖q‖²)(1+‖ν‖²)) ≥ 1/2, q and ν the laws of the learner's and of the "
            "actor's mistakes ({least_cosine} for q even and ν one arm), so that no method gains more than a factor "
            "of 2, and DG's gain vanishes as ε → 0 where π_j falls with ε and b < η. It grows, at π_j = ε, b < η and "
            "δ(1 + b) < 1, where those failures fall into a context that has been learnt and the signal into "
            "another, or where shared parameters make the two orthogonal; even there both cosines vanish, PG's as ε, "
            "DG's as ε^{1−b/η}, unless π_j falls faster than ε^{η/b}. Importance weights ignore the sign too, but "
            "with exact μ their mean has the cosine 1"
        ),
        rule=SIMULATED,
        formulas={
            "bound": "x^{u/η}",
            "growth": "(1−b)(1−δ)/(2(1−δ−bδ))",
            "sign_ratio": "x^{−u/η}",
            "least_cosine": "√(K/(2(K−1)))",
        },
    ),
)
