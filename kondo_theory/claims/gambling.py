"""Claims about the gambling pathology: when a lucky bad arm takes the gate in, and for how long."""

from kondo_theory.claims.registry import SIMULATED, Claim

__all__ = ["CLAIMS"]

_SETTING = "one context, arm 1 pays 0, arm 2 pays −Δ + σξ, ξ ~ N(0, 1), played with probability x; b = E R; r = σ/Δ"
_LIMIT = "fixed points are those of the expected update: small steps or large batches"

CLAIMS = (
    Claim(
        id="gambling-false-positives",
        statement=(
            "Zero price keeps a losing gamble with probability Φ(−(1−x)/r) < 1/2: increasing in x and r, at most "
            "½e^{−(1−x)²/2r²}, and near 1/2 for large r or x near 1."
        ),
        source="KG Prop. 3; bounds and monotonicity here",
        regime=f"{_SETTING}; exponentially small for small r only while x stays away from 1",
        rule=SIMULATED,
    ),
    Claim(
        id="gambling-fixed-point",
        statement=(
            "At zero price the gambling arm keeps a share x*(r) > 0 for good, the one stable zero of "
            "f = x − h(1−x, r), if r < √(2π); if r ≥ √(2π) it wins from everywhere. PG has no such floor."
        ),
        source="here",
        regime=(
            f"{_SETTING}; x* ~ r³φ(1/r) as r → 0; the same x* with one gambling arm and K − 1 equally likely safe "
            f"ones; "
            f"{_LIMIT}"
        ),
        rule=SIMULATED,
    ),
    Claim(
        id="gambling-dg-floor",
        statement=(
            "Under DG the gambling arm keeps a share x*(r, η) > 0 for every r and η, the one zero of the drift, and "
            "stable: there is a floor and no critical noise. For U ~ N(−μ, s²), E[Uσ(Uℓ/η)] > 0 iff ℓ > 2ημ/s²."
        ),
        source="here",
        regime=(
            f"{_SETTING}; η in units of Δ; as r → 0, x* ~ e^(−2η/r²) for η > 1/4 only, and "
            "x* ~ 2(2πη)²cos(2πη)/sin²(2πη)·r³φ(1/r) for η < 1/4; 1 − x* ~ 4η/r² as r → ∞, so a floor near 1; "
            f"{_LIMIT}"
        ),
        rule=SIMULATED,
    ),
    Claim(
        id="gambling-top-rate",
        statement=(
            "At rate ρ < 1 the gambling arm has a floor for every r, ρx* ~ h(1, r) as r → 0, and the corner x = 1 "
            "attracts if r > 1/φ(Φ⁻¹(1−ρ)) and repels if r is smaller: up to ρ = 1/2 a smaller rate has the higher "
            "floor at small r and resists the corner longer."
        ),
        source="here",
        regime=(
            f"{_SETTING}; B → ∞ at fixed ρ, ties at the atom broken at random; not simply ordered: an attracting "
            "corner can coexist with a stable interior point, so it does not always win, and at small ρ two stable "
            "interior points coexist (ρ = 1 %, r = 0.365); above ρ = 1/2 larger rates resist the corner longer; "
            "where "
            f"the gambling arm wins from everywhere there is no interior point at all; {_LIMIT}"
        ),
        rule=SIMULATED,
    ),
    Claim(
        id="equal-noise",
        statement=(
            "With the same noise on both arms zero price drifts to the better arm from everywhere; DG keeps one "
            "stable "
            "floor x* in (0, 1/2) for every r and η; top-ρ repels from x = 0 if g(1/r) > I(ρ) and is attracted by it "
            "if g(1/r) < I(ρ), g(s) = φ(s) − sΦ(−s), I = φ∘Φ⁻¹."
        ),
        source="here",
        regime=(
            "two arms, rewards σξ and −Δ + σξ, b = E R, r = σ/Δ; top-ρ with B → ∞ keeps a floor for certain only "
            "above "
            "that noise ratio (0.91 at 3 %, 1.74 at 10 %, none at ρ = 1/2); below it x = 0 attracts, alone or "
            "beside a "
            f"stable interior point; x = 1 always repels; {_LIMIT}"
        ),
        rule=SIMULATED,
    ),
)
