"""The law of the gate."""

import numpy as np
from scipy.special import entr

from closed_forms import ClosedForm
from kondo_theory.gate import gate_probability


def _draw(rng):
    return {"chi": rng.normal(0, 2), "lambda": rng.normal(), "eta": rng.uniform(0.1, 3)}


def _gate(**at):
    return float(gate_probability(np.array([at["chi"]]), at["lambda"], at["eta"])[0])


def _value(**at):
    w = _gate(**at)
    return w * (at["chi"] - at["lambda"]) + at["eta"] * (entr(w) + entr(1 - w))


def _price_response(**at):
    step = 1e-5
    low, high = (_gate(**at | {"lambda": at["lambda"] + shift}) for shift in (-step, step))
    return (high - low) / (2 * step)


def _on_threshold(**at):
    return _gate(**at | {"chi": at["lambda"]})


CLOSED_FORMS = {
    "gate-law": {
        "gate": ClosedForm(_draw, _gate),
        "value": ClosedForm(_draw, _value),
        "price_response": ClosedForm(_draw, _price_response, relative=1e-6),
        "gate_on_threshold": ClosedForm(_draw, _on_threshold),
    },
}

QUOTED = {
    "gate-law": {
        "w(χ−λ) + ηH(w)": "the objective: a definition",
        "η·KL(w‖w*)": "a divergence, written out in the derivation's last step on the maximum",
    },
}
