"""Study ``gambling``: half of the prompts are easy and pay a noisy reward, and some gates are taken in.

Five of ten prompts are all zeros. Their answers' rewards have noise of σ = 0, 0.3 or 1, which says nothing of the
answer; a control has σ = 0.3 on all prompts. Errors are those on prompts drawn as ever, *clean* here, and apart on
the zero prompt. A gate is taken in if the clean prompts get a tenth, or less, of the drift that they get without
noise.

What is predicted, before it was run; of runs without noise the rows by |advantage|, one seed, had been seen. By
:func:`kondo_theory.gambling.noisy_contexts.first_batch`, of the first policy, where delight ranks as advantage does:

==========================  =======================  =========================  ==============
gate                        noisy share, σ = .3, 1   clean drift, σ = .3, 1     taken in from
==========================  =======================  =========================  ==============
PG, zero price, DG          .50, .50                 1, 1                       no noise
30 % of the tokens          .61, .73                 .94, .83                   no noise
25 % of the rows            .66, .83                 .89, .63                   24
25 % by abs-advantage       .84, 1.00                .52, .00                   0.56
3 % of the rows             .997, 1.00               .01, .00                   0.24
==========================  =======================  =========================  ==============

1. By |advantage| nothing changes as the zero prompt is learnt: it takes .75 or more of the kept tokens of the whole
   training at σ = .3, .99 or more at 1, and there the clean error stays at .4 or above.
2. By delight at 25 % it takes half or less at .3, for learnt answers bid little; at 1 the clean error ends at least
   .05 below that by |advantage|.
3. At 3 % delight is taken in while the zero prompt is not learnt, and its noise keeps it from being learnt:
   independent tokens have their rest near the error .2 at σ = .3. The clean error stays at .4 or above at σ = 1, at
   .3 or above at .3, and nine tenths of what is kept at σ = 1 answers zeros.
4. DG is not taken in on clean prompts, but rests on the noisy ones at odds e^{−2ηΔ/σ²}, Δ = 1/H: a zero error of .10
   at σ = .3 (.03 to .2 are allowed, for the network is shared), .45 at 1 (.3 or more). PG and zero price end at .02
   or below at .3.
5. PG, DG, zero price and 30 % of the tokens learn the clean prompts at .3: they end no more than .15 above their own
   error without noise, for a seed may leave the plateau near .34 a little later.
6. Noise on all prompts takes no budget: zero prompts get .4 to .6 of what |advantage| keeps. "PG and DG degrade
   together" is not predicted: DG has the rest of 4 on the clean prompts too, at .03 to .25, PG none.

Plan: 24 cells × 2 seeds × 500 updates at 33 ms, and evaluations, 17 core minutes in all. Left out for lack of time:
σ = 0.1 and 3, equal noise of 1, more than two seeds, 1,000 updates, rows by |advantage| at 3 %.
"""

from __future__ import annotations

from dataclasses import replace

from simulations.reversal.config import ReversalConfig
from simulations.reversal.gambles.payment import Payment

__all__ = ["CELLS", "EQUAL", "NOISES", "STUDY", "UPDATES", "ZERO_PROMPTS"]

STUDY = "gambling"
ZERO_PROMPTS = 5
NOISES = (0.0, 0.3, 1.0)
EQUAL = 0.3
UPDATES = {"smoke": 50, "quick": 500, "paper": 10_000}
"""By preset; half of the protocol's in quick."""

_METHODS = (
    ReversalConfig("pg"),
    ReversalConfig("dg"),
    ReversalConfig("token-gate", price=0.0),
    ReversalConfig("token-gate", rate=0.3),
    ReversalConfig("row-gate", rate=0.25),
    ReversalConfig("row-gate", rate=0.25, rule="abs-advantage"),
    ReversalConfig("row-gate", rate=0.03),
)
_CONTROLS = (_METHODS[0], _METHODS[1], _METHODS[5])

CELLS = (
    *(replace(method, payment=Payment(ZERO_PROMPTS, zero_noise=noise)) for noise in NOISES for method in _METHODS),
    *(replace(method, payment=Payment(ZERO_PROMPTS, noise=EQUAL)) for method in _CONTROLS),
)
"""Every method at every noise of the zero prompts, and three where all prompts are as noisy."""
