"""The sign of the token trap on runs of token reversal: a short run, its rewards, and the interval of a share."""

import contextlib
import io

import numpy as np
import pytest
from tiny_runs import TINY

from kondo_theory.training import TrapSign
from simulations.reversal.config import ReversalConfig
from simulations.reversal.diagnostics import trap_sign
from simulations.reversal.training import run_one


def tiny(method="token-gate", **changes):
    return ReversalConfig(method, rate=0.2, **(TINY | {"eval_every": 2} | changes))


@pytest.mark.parametrize("method", ["token-gate", "row-gate"])
def test_looking_for_the_sign_changes_no_run(method):
    found = trap_sign.run_with_sign(tiny(method), 6, TrapSign(2))
    curve, _ = run_one(tiny(method), trap_sign.torch.device("cpu"))
    np.testing.assert_allclose(found.reward.reshape(3, 2).mean(1), curve["train_reward"][1:], rtol=0, atol=1e-6)


def test_a_sign_is_noted_when_it_is_first_on(monkeypatch):
    on = iter([False, False, True, False, True, True])
    monkeypatch.setattr(TrapSign, "add", lambda self, found: next(on))
    found = trap_sign.run_with_sign(tiny(), 6, TrapSign(2))
    assert found.sign == 2
    assert found.gain == pytest.approx(found.reward.mean() - found.reward[:3].mean())


def test_the_interval_of_a_share_is_clopper_and_pearsons():
    assert trap_sign.interval(0, 25) == pytest.approx((0.0, 1 - 0.025 ** (1 / 25)))
    assert trap_sign.interval(25, 25) == pytest.approx((0.025 ** (1 / 25), 1.0))
    low, high = trap_sign.interval(5, 10)
    assert low == pytest.approx(1 - high)


def test_every_set_is_printed(monkeypatch):
    monkeypatch.setattr(trap_sign, "SETS", {"tiny": [tiny()]})
    monkeypatch.setattr(trap_sign, "UPDATES", 4)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        trap_sign.main(2)
    assert told.getvalue().startswith("tiny: sign in 0 of 2 runs (95 % interval 0% to 84%)")


def test_a_number_of_seeds_that_is_none_is_refused(capsys):
    assert trap_sign._seeds([]) == 5
    for wrong in ("0", "many"):
        with pytest.raises(SystemExit) as caught:
            trap_sign._seeds([wrong])
        assert caught.value.code == 2
    assert "seeds must be at least 1, got 0" in capsys.readouterr().err
