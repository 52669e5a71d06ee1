"""Without ``check`` nothing in the gate waits for a device: no value is read on the host.

Tensors on the meta device have no values to read, and a dispatch mode refuses the operations that make a GPU wait;
where there is a GPU, torch itself refuses to synchronise.
"""

import contextlib

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kondo_theory import gate
from kondo_theory.advantage import group_advantage
from kondo_theory.gate import Gate
from kondo_theory.screening import RULES

WAITS = {"_local_scalar_dense", "is_nonzero", "item", "nonzero", "masked_select", "unique_dim", "_unique2", "equal"}
"""Operations whose result the host has to know."""


class NoReading(TorchDispatchMode):
    """Refuse what waits for a GPU: values read, sizes that depend on values, copies between devices."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Run an operation unless it waits."""
        name = function.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_") and any(
            each is not None and each.dtype in (torch.bool, torch.uint8) for each in args[1]
        )
        if name in WAITS or by_mask or (name == "_to_copy" and (kwargs or {}).get("device") is not None):
            raise RuntimeError(f"waits for the device: {name}")
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def refusing_to_wait(device):
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
    else:
        with NoReading():
            yield


def tensors(device):
    shape = (3, 40)
    generator = torch.Generator().manual_seed(0)
    numbers = [torch.randn(shape, generator=generator), torch.rand(shape, generator=generator)]
    numbers[0][0, :5] = torch.nan
    mask = torch.rand(shape, generator=generator) < 0.5
    return [each.to(device) for each in (*numbers, mask)]


def gated(setting, masked):
    return lambda chi, other, mask, check: setting(chi, check=check, mask=mask if masked else None)


CALLS = {
    "delight": lambda chi, other, mask, check: gate.delight(chi, other, check=check),
    "half delight": lambda chi, other, mask, check: gate.delight(chi.half(), other.half(), check=check),
    **{
        f"{setting}{' masked' * masked}": gated(setting, masked)
        for setting in (
            Gate(rate=0.29),
            Gate(rate=0.9),
            Gate(price=0.1),
            Gate(price=0.1, temperature=0.5),
            Gate(rate=0.3, temperature=0.5),
        )
        for masked in (False, True)
    },
    "quantile_price": lambda chi, other, mask, check: gate.quantile_price(chi, 0.3, check=check, mask=mask),
    "select_exactly": lambda chi, other, mask, check: gate.select_exactly(chi, 4, other, check=check, mask=mask),
    "price for each batch": lambda chi, other, mask, check: gate.gate_probability(
        chi, other[:, :1], 0.3, check=check
    ),
    "sample_gate": lambda chi, other, mask, check: gate.sample_gate(other, check=check),
    "group_advantage of a size": lambda chi, other, mask, check: group_advantage(chi, 8, check=check),
    "group_advantage of ids": lambda chi, other, mask, check: group_advantage(
        chi, mask.long(), baseline="leave-one-out", scale="group", check=check
    ),
}
DEVICES = ["meta", "cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CALLS)
def test_without_check_no_value_is_read(name, device):
    parts = tensors(device)
    with refusing_to_wait(device):
        CALLS[name](*parts, False)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", sorted(RULES))
def test_no_rule_reads_a_value(name, device):
    chi, other, _ = tensors(device)
    with refusing_to_wait(device):
        RULES[name](chi, other, other)


@pytest.mark.parametrize("name", CALLS)
def test_negative_control_with_check_values_are_read(name):
    parts = tensors("meta")
    with pytest.raises((RuntimeError, NotImplementedError)):
        CALLS[name](*parts, True)
    parts = [torch.nan_to_num(part) if part.is_floating_point() else part for part in tensors("cpu")]
    with pytest.raises(RuntimeError, match="waits for the device"), NoReading():
        CALLS[name](*parts, True)


def test_negative_control_a_mask_as_an_index_is_noticed():
    values = torch.arange(3.0)
    with pytest.raises(RuntimeError, match="waits for the device: index"), NoReading():
        values[values > 1]
