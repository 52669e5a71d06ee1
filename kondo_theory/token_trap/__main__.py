"""``python -m kondo_theory.token_trap``: the numbers of docs/choosing-a-gate.md."""

import numpy as np

from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.token_trap import drift, stall_point, stalling_rates, stalling_temperatures


def main() -> None:
    """Print what the tables for practitioners say: stalling rates and stalls by delight, and other rules' drifts."""
    print("   M     T  stalling rates of the token gate              stall at 3 %  stall at 10 %  DG stalls at η in")
    for M in (2, 10, 100, 1000):
        for T in (2, 4, 10, 32, 100):
            rates = ", ".join(f"{low:.3f}–{high:.3f}" for low, high in stalling_rates(M, T)) or "none"
            points = [stall_point(rate, M, T) for rate in (0.03, 0.10)]
            stalls = "  ".join(f"{'none' if p is None else f'{p:.3f}':>12}" for p in points)
            window = ", ".join(f"{low:.3f}–{high:.3f}" for low, high in stalling_temperatures(M, T)) or "none"
            print(f"{M:5d} {T:5d}  {rates:44s}{stalls}   {window}")
    wrong = np.array([0.45, 0.3, 0.1, 0.03, 0.01, 0.001])
    print("\nThe top 3 % of the tokens at M = 2, T = 10: drift over PG's, at this share of wrong tokens, 1 − p")
    print(f"{'rule':22s}" + "".join(f"{share:>9.3g}" for share in wrong) + "  stall")
    for rule in SAMPLE_RULES:
        speed = drift(1 - wrong, 10, 2, 0.03, rule=rule) / (wrong * (1 - wrong) / 10)
        point = stall_point(0.03, 2, 10, rule=rule)
        print(
            f"{rule:22s}"
            + "".join(f"{value:9.2g}" for value in speed)
            + f"{'none' if point is None else f'{point:.3f}':>7}"
        )


if __name__ == "__main__":
    main()
