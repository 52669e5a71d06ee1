"""Where code has moved, so that stored results stay those of the code that made them.

A result names its function, and its key is made from that name and from the code behind it. Both use the names that
modules had when results were first stored: a module that only moved keeps its results, and a name stored long ago, or
written in someone's sweep file, still finds its function. Whoever moves a module adds a line here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

__all__ = ["MOVED", "present_name", "restore_imports", "stored_name"]

MOVED: Mapping[str, str] = {
    "kondo_theory.contexts.allocation": "kondo_theory.contexts",
    "kondo_theory.gambling.equal_noise": "kondo_theory.gambling_equal_noise",
    "kondo_theory.gambling.means": "kondo_theory.gambling_means",
    "kondo_theory.gambling.roots": "kondo_theory.gambling_roots",
    "kondo_theory.gambling.single_arm": "kondo_theory.gambling",
    "kondo_theory.gambling.top_rate": "kondo_theory.gambling_top_rate",
    "kondo_theory.gate.law": "kondo_theory.gate",
    "kondo_theory.gate.prices": "kondo_theory._prices",
    "kondo_theory.gate.selection": "kondo_theory._selection",
    "kondo_theory.geometry.alignment": "kondo_theory.alignment",
    "kondo_theory.geometry.exact_rate": "kondo_theory.exact_rate",
    "kondo_theory.geometry.quality_cost": "kondo_theory.frontier",
    "kondo_theory.geometry.graded": "kondo_theory.graded",
    "kondo_theory.geometry.learning": "kondo_theory.learning",
    "kondo_theory.geometry.symmetric": "kondo_theory.symmetric",
    "kondo_theory.screening.rules": "kondo_theory.screening",
    "kondo_theory.token_trap.drifts": "kondo_theory.token_trap",
    "kondo_theory.token_trap.groups": "kondo_theory.token_groups",
    "kondo_theory.token_trap.rows": "kondo_theory.token_rows",
    "kondo_theory.token_trap.sets": "kondo_theory.token_sets",
    "simulations.bandits.contexts": "simulations.bandit_contexts",
    "simulations.bandits.estimates": "simulations.estimates",
    "simulations.bandits.kept_batches": "simulations.kept_batches",
    "simulations.bandits.kernels.batches": "simulations.bandit_kernels",
    "simulations.bandits.kernels.contexts": "simulations.context_kernels",
    "simulations.bandits.kernels.learning": "simulations.bandit_dynamics",
    "simulations.bandits.kernels.symmetric": "simulations.symmetric_kernels",
    "simulations.bandits.learning": "simulations.bandit_learning",
    "simulations.bandits.learning_times": "simulations.learning_times",
    "simulations.bandits.many_contexts": "simulations.many_contexts",
    "simulations.bandits.noisy_delight": "simulations.noisy_delight",
    "simulations.bandits.reference": "simulations.reference_bandits",
    "simulations.bandits.simulation": "simulations.bandits",
    "simulations.bandits.top_samples": "simulations.top_samples",
    "simulations.benchmark.mnist": "simulations.benchmark_mnist",
    "simulations.benchmark.reversal": "simulations.benchmark_reversal",
    "simulations.benchmark.suite": "simulations.benchmark",
    "simulations.cli.main": "simulations.cli",
    "simulations.cli.sweeping": "simulations.sweeps.command",
    "simulations.cli.terminal": "simulations.terminal",
    "simulations.cli.verifying": "simulations.verify_command",
    "simulations.gambling.kernels": "simulations.gambling_kernels",
    "simulations.gambling.simulation": "simulations.gambling",
    "simulations.mnist.approximate": "simulations.mnist_approximate",
    "simulations.mnist.config": "simulations.mnist",
    "simulations.mnist.cost": "simulations.mnist_cost",
    "simulations.mnist.decomposition": "simulations.mnist_decomposition",
    "simulations.mnist.digits": "simulations.mnist_digits",
    "simulations.mnist.experiment": "simulations.experiment",
    "simulations.mnist.images": "simulations.datasets",
    "simulations.mnist.probe": "simulations.mnist_probe",
    "simulations.mnist.runs": "simulations.mnist_runs",
    "simulations.mnist.screeners": "simulations.mnist_screeners",
    "simulations.mnist.studies": "simulations.mnist_studies",
    "simulations.mnist.summary": "simulations.mnist_summary",
    "simulations.mnist.tables": "simulations.mnist_tables",
    "simulations.mnist.training": "simulations.mnist_training",
    "simulations.networks.image_bandits": "simulations.image_bandits",
    "simulations.networks.jacobians": "simulations.network_kernels",
    "simulations.networks.mlp": "simulations.networks",
    "simulations.networks.moments": "simulations.network_moments",
    "simulations.networks.sequence_counts": "simulations.sequence_counts",
    "simulations.networks.sequence_step": "simulations.sequence_step",
    "simulations.networks.stacked": "simulations.stacked",
    "simulations.networks.transformer": "simulations.transformer",
    "simulations.randomness.cell_seeds": "simulations.sweeps.seeds",
    "simulations.randomness.draws": "simulations.draws",
    "simulations.randomness.seed_streams": "simulations.seed_streams",
    "simulations.randomness.streams": "simulations.streams",
    "simulations.randomness.vector_math": "simulations.vector_math",
    "simulations.results.atomic": "simulations.atomic",
    "simulations.results.device_agreement": "simulations.device_tables",
    "simulations.results.merging": "simulations.merging",
    "simulations.results.shards": "simulations.shards",
    "simulations.results.sidecars": "simulations.sidecars",
    "simulations.results.sources": "simulations.sources",
    "simulations.results.table_sizes": "simulations.table_sizes",
    "simulations.results.tables": "simulations.results",
    "simulations.results.whole_tables": "simulations.whole_tables",
    "simulations.resuming.checkpoints": "simulations.checkpoints",
    "simulations.resuming.extending": "simulations.extending",
    "simulations.resuming.fingerprint": "simulations.sweeps.fingerprint",
    "simulations.resuming.parts": "simulations.parts",
    "simulations.resuming.typed_in": "simulations.sweeps.typed_in",
    "simulations.reversal.config": "simulations.reversal_config",
    "simulations.reversal.experiment": "simulations.reversal_experiment",
    "simulations.reversal.objectives": "simulations.reversal_objectives",
    "simulations.reversal.scaling": "simulations.reversal_scaling",
    "simulations.reversal.studies": "simulations.reversal_studies",
    "simulations.reversal.summary": "simulations.reversal_summary",
    "simulations.reversal.tables": "simulations.reversal_tables",
    "simulations.reversal.times": "simulations.reversal_times",
    "simulations.reversal.training": "simulations.reversal",
    "simulations.sweeps.cells.bandits.additive": "simulations.sweeps.cells.additive",
    "simulations.sweeps.cells.bandits.alignment": "simulations.sweeps.cells.alignment",
    "simulations.sweeps.cells.bandits.contexts": "simulations.sweeps.cells.contexts",
    "simulations.sweeps.cells.bandits.frontier": "simulations.sweeps.cells.frontier",
    "simulations.sweeps.cells.bandits.gate": "simulations.sweeps.cells.gate",
    "simulations.sweeps.cells.bandits.graded": "simulations.sweeps.cells.graded",
    "simulations.sweeps.cells.bandits.learning": "simulations.sweeps.cells.learning",
    "simulations.sweeps.cells.bandits.moments": "simulations.sweeps.cells.moments",
    "simulations.sweeps.cells.bandits.noise": "simulations.sweeps.cells.noise",
    "simulations.sweeps.cells.bandits.screening": "simulations.sweeps.cells.screening",
    "simulations.sweeps.cells.gambling.rest_points": "simulations.sweeps.cells.rest_points",
    "simulations.sweeps.cells.gambling.runs": "simulations.sweeps.cells.gambling",
    "simulations.sweeps.cells.tokens.rows": "simulations.sweeps.cells.rows",
    "simulations.sweeps.cells.tokens.training": "simulations.sweeps.cells.tokens",
    "simulations.sweeps.cells.tokens.trap": "simulations.sweeps.cells.token_trap",
    "simulations.sweeps.named.catalogue": "simulations.sweeps.catalogue",
    "simulations.tokens.keeps": "simulations.token_keeps",
    "simulations.tokens.kernels": "simulations.token_kernels",
    "simulations.tokens.runs": "simulations.token_runs",
    "simulations.tokens.simulation": "simulations.tokens",
    "simulations.verification.checks": "simulations.checks",
    "simulations.verification.checks.bandits.alignment": "simulations.checks.alignment",
    "simulations.verification.checks.bandits.composition": "simulations.checks.composition",
    "simulations.verification.checks.bandits.contexts": "simulations.checks.contexts",
    "simulations.verification.checks.bandits.cost": "simulations.checks.cost",
    "simulations.verification.checks.bandits.delightful": "simulations.checks.delightful",
    "simulations.verification.checks.bandits.frontier": "simulations.checks.frontier",
    "simulations.verification.checks.bandits.gate": "simulations.checks.gate",
    "simulations.verification.checks.bandits.geometry": "simulations.checks.geometry",
    "simulations.verification.checks.bandits.graded": "simulations.checks.graded",
    "simulations.verification.checks.bandits.learning": "simulations.checks.learning",
    "simulations.verification.checks.bandits.moments": "simulations.checks.moments",
    "simulations.verification.checks.bandits.screening": "simulations.checks.screening",
    "simulations.verification.checks.devices": "simulations.checks.devices",
    "simulations.verification.checks.gambling.drifts": "simulations.checks.gambling",
    "simulations.verification.checks.gambling.runs": "simulations.checks.gambling_runs",
    "simulations.verification.checks.mnist.approximate": "simulations.checks.mnist_approximate",
    "simulations.verification.checks.mnist.cost": "simulations.checks.mnist_cost",
    "simulations.verification.checks.mnist.moments": "simulations.checks.mnist_moments",
    "simulations.verification.checks.mnist.quality": "simulations.checks.mnist",
    "simulations.verification.checks.reversal.cost": "simulations.checks.reversal_cost",
    "simulations.verification.checks.reversal.quality": "simulations.checks.reversal",
    "simulations.verification.checks.reversal.runs": "simulations.checks.reversal_runs",
    "simulations.verification.checks.reversal.scaling": "simulations.checks.reversal_scaling",
    "simulations.verification.checks.reversal.screening": "simulations.checks.reversal_screening",
    "simulations.verification.checks.tokens.drifts": "simulations.checks.tokens",
    "simulations.verification.checks.tokens.examples": "simulations.checks.token_examples",
    "simulations.verification.outcomes": "simulations.outcomes",
    "simulations.verification.report": "simulations.report",
    "simulations.verification.verdicts": "simulations.verdicts",
    "simulations.verification.verify": "simulations.verify",
}
"""Modules that moved: the name now, and the name under which results know it."""

_PRESENT = {stored: now for now, stored in MOVED.items()}


def stored_name(name: str) -> str:
    """Return the name by which results know a module, or ``module:function``."""
    module, colon, function = name.partition(":")
    return MOVED.get(module, module) + colon + function


def present_name(name: str) -> str:
    """Return where a module, or ``module:function``, that a result or a sweep file names is now."""
    module, colon, function = name.partition(":")
    return _PRESENT.get(module, module) + colon + function


def restore_imports(tree: ast.AST, ours: tuple[str, ...]) -> None:
    """Rewrite a module's imports from the packages ``ours``, in place, to stored names, merged and in their order.

    A file that follows a move changes in its import statements alone, and in their order, which goes by name.
    """
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                setattr(node, name, list(_restored(body, ours)))


def _restored(body: list[ast.stmt], ours: tuple[str, ...]) -> Iterator[ast.stmt]:
    """Yield the statements of a block; a run of imports from our packages comes in the order of stored names."""
    run: dict[str, list[ast.alias]] = {}
    for statement in [*body, None]:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").partition(".")[0] in ours:
            for alias in statement.names:
                module, restored = _restored_alias(statement.module or "", alias)
                run.setdefault(module, []).append(restored)
            continue
        for module in sorted(run, key=str.lower):
            yield ast.ImportFrom(module=module, names=sorted(run[module], key=_by_type), level=0)
        run = {}
        if statement is not None:
            yield statement


def _restored_alias(module: str, alias: ast.alias) -> tuple[str, ast.alias]:
    """Return an imported name by its stored module: a module itself may have been renamed, its local name has not."""
    stored = MOVED.get(f"{module}.{alias.name}")
    if stored is None:
        return stored_name(module), alias
    package, _, name = stored.rpartition(".")
    local = alias.asname or alias.name
    return package, ast.alias(name=name, asname=None if local == name else local)


def _by_type(alias: ast.alias) -> tuple[int, str]:
    """Order names as the linter's import rule does: constants, classes, the rest."""
    name = alias.name
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[:1].isupper() else 2
    return kind, name
