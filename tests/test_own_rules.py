"""Screening rules that are functions of one's own, or not called as they are."""

import numpy as np
import pytest

from kondo_theory.screening import RULES, screen_context

THREE = np.array([0.5, 0.25, 1.0])


@pytest.mark.parametrize("found", [None, "high", {}])
def test_what_a_function_returns_is_refused_in_one_line(found):
    with pytest.raises(TypeError, match=r"^rule must return scores, an array of real numbers, got "):
        screen_context([0.5, 0.3, 0.2], [0.5, -0.5, 0.0], lambda *of: found, 0.1)
    with pytest.raises(ValueError, match=r"stretch to one, got advantage \(3,\), what a rule returns \(2,\)"):
        screen_context([0.5, 0.3, 0.2], [0.5, -0.5, 0.0], lambda *of: np.ones(2), 0.1)
    for whole in ([1, 0, 0], np.array([1, 0, 0]), np.array([True, False, False])):
        kept = screen_context([0.5, 0.3, 0.2], [0.5, -0.5, 0.0], lambda *of: whole, 0.5).keep  # noqa: B023
        assert kept == pytest.approx([1, 0, 0])


def test_a_rule_knows_its_name():
    for name, rule in RULES.items():
        assert rule.name == name
        with pytest.raises(TypeError, match=f"^rule '{name}' has the parameters .*, got foo$"):
            rule(THREE, THREE, THREE, foo=2)
    with pytest.raises(ValueError, match=r"^rule 'entropy' looks at entropy, got None for entropy$"):
        RULES["entropy"](THREE, THREE)
