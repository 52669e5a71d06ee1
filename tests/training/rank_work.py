"""What the ranks of a group do in the tests, and what one process does in their place."""

from itertools import accumulate, pairwise

import torch
from answer_batches import B, advantages, ragged, small_model
from steps import SIZES, sgd
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep, ScreenedStep
from kondo_theory.training.ranks import Ranks
from simulations.networks.mlp import PolicyMLP

PARTS = (3, 1, 8)
"""Rows of the ranks; row 3, all that rank 1 has, is no answer."""

WRAPPERS = ("ddp", "fsdp", "fsdp of blocks")
GROUPS = torch.tensor([0, 0, 1, 2, 1, 1, 3, 3, 4, 4, 4, 0])
"""Groups of which 0 and 1 are spread over ranks."""

CASES = {
    "rows": {"gate": Gate(rate=0.3)},
    "rows at a price": {"gate": Gate(price=0.0), "normalise": "rows"},
    "softly": {"gate": Gate(rate=0.5, temperature=0.3), "normalise": "kept"},
    "tokens": {"gate": Gate(rate=0.2), "level": "token", "normalise": "kept"},
    "tokens softly": {"gate": Gate(price=0.1, temperature=0.3), "level": "token"},
    "groups": {"gate": Gate(rate=0.4), "level": "group"},
    "all": {"gate": None},
    "nothing": {"gate": Gate(price=1e9)},
    "ties": {"gate": Gate(rate=0.4), "rule": "uniform", "level": "token"},
}

AGAIN = ("rows", "softly", "nothing")
SINGLE = ("ddp", "fsdp") if tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 13) else ("ddp",)
"""Wrappers that average float32 over gloo: FSDP2 of older versions refuses, or sums."""


def wrapped(model, how, *, views=False):
    if how == "ddp":
        return DistributedDataParallel(model, gradient_as_bucket_view=views)
    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    if how == "fsdp of blocks":
        for part in [*getattr(model, "blocks", ()), *([model.head] if hasattr(model, "head") else ())]:
            fully_shard(part, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def part_of(values, rank, parts=PARTS):
    edges = list(pairwise([0, *accumulate(parts)]))
    return values[slice(*edges[rank])]


def gradients(model):
    grads = {name.removeprefix("module."): each.grad for name, each in model.named_parameters()}
    return {name: grad.full_tensor() if isinstance(grad, DTensor) else grad for name, grad in grads.items()}


def answer_update(case, rank=None, how=None, dtype=torch.float64):
    """One update of a case: selection and gradients; on a rank with a part of the batch, in one process with all."""
    take, model, ranks = (lambda values: values), small_model(dtype=dtype), None
    if rank is not None:
        take, ranks = (lambda values: part_of(values, rank)), Ranks()
        model = wrapped(model, how, views=case in AGAIN)
    answers, generator = ragged(), torch.Generator().manual_seed(4)
    answers = Answers(take(answers.tokens), take(answers.attention_mask), take(answers.answer_mask))
    options = {"micro_tokens": 12, "chunk_tokens": 7, "generator": generator, "ranks": ranks} | CASES[case]
    step = AnswerStep(model, sgd(model.parameters()), **options)
    step.optimizer.param_groups[0]["lr"] = 0.0
    groups = take(GROUPS) if options.get("level") == "group" else None
    selection = step.update(answers, take(advantages().to(dtype)), groups=groups)
    for scale in (0.25, 1.0, 0.5) if case in AGAIN else ():  # from the second pass on buckets stay where they are
        if scale == 1.0:
            step.optimizer.zero_grad()
        step.backward(answers, take(advantages().to(dtype)), selection, scale=scale)
    normaliser = step.normaliser(answers, selection)
    return summary(selection, model) | {"normaliser": normaliser, "drawn": generator.get_state()}


def summary(selection, model):
    names = ("keep", "n_valid", "n_kept", "n_invalid", "n_eligible", "price")
    return {name: getattr(selection, name) for name in names} | {"gradients": gradients(model)}


def screened_update(setting, rank=None, how=None):
    """Two updates of a screened step, the second accumulated: actions, selection, gradients and parameters."""
    gate, normalise = setting
    take, policy, ranks = (lambda values: values), PolicyMLP(SIZES, seed=0).double(), None
    if rank is not None:
        take, policy, ranks = (lambda values: part_of(values, rank)), wrapped(policy, how), Ranks()
    options = {"generator": torch.Generator().manual_seed(4), "normalise": normalise, "ranks": ranks}
    observations = take(torch.randn(B, SIZES[0], generator=torch.Generator().manual_seed(1)).double())
    step = ScreenedStep(policy, sgd(policy.parameters()), gate, **options)
    for _ in range(2):
        screening = step.act(observations)
        advantage = (screening.actions == 0).double() - 0.25
        selection = step.select(screening, advantage)
        step.backward(observations, screening, advantage, selection, scale=0.5)
    found = summary(selection, policy) | {"actions": screening.actions}
    step.step()
    step.optimizer.zero_grad()
    after = {name.removeprefix("module."): each.detach() for name, each in policy.named_parameters()}
    after = {name: each.full_tensor() if isinstance(each, DTensor) else each for name, each in after.items()}
    return replace_counts(found, step) | {"parameters": after}


def alignments(rank=None, how=None):
    """Cosines of the kept gradient with the full one: of a screened step, and of answers."""
    take, policy, model, ranks = (lambda values: values), PolicyMLP(SIZES, seed=0).double(), small_model(), None
    if rank is not None:
        take, ranks = (lambda values: part_of(values, rank)), Ranks()
        policy, model = wrapped(policy, how, views=True), wrapped(model, how, views=True)
    options = {"generator": torch.Generator().manual_seed(4), "ranks": ranks}
    observations = take(torch.randn(B, SIZES[0], generator=torch.Generator().manual_seed(1)).double())
    rows = ScreenedStep(policy, sgd(policy.parameters()), Gate(rate=0.3), **options)
    screening = rows.act(observations)
    advantage = (screening.actions == 0).double() - 0.25
    for _ in range(2):  # from then on buckets stay where they are
        rows.backward(observations, screening, advantage, rows.select(screening, advantage))
        rows.optimizer.zero_grad()
    found = [rows.alignment(observations, screening, advantage, rows.select(screening, advantage))]
    answers, advantage = ragged(), take(advantages())
    answers = Answers(take(answers.tokens), take(answers.attention_mask), take(answers.answer_mask))
    step = AnswerStep(model, sgd(model.parameters()), Gate(rate=0.3), micro_tokens=25, **options)
    found.append(step.alignment(answers, advantage, step.select(answers, advantage)))
    return torch.stack(found)


def replace_counts(found, step):
    return found | {"backward_samples": step.counts.backward_samples, "updates": step.counts.updates}


SCREENED = (
    (Gate(rate=0.3), "batch"),
    (Gate(price=0.0), "batch"),
    (Gate(price=1e9), "batch"),
    (None, "batch"),
    (Gate(price=0.0), "kept"),
    (Gate(price=1e9), "kept"),
)


def everything(rank, size):
    assert size == len(PARTS)
    answers = {(how, case): answer_update(case, rank, how) for how in WRAPPERS for case in CASES}
    screened = {
        (how, index): screened_update(setting, rank, how)
        for how in WRAPPERS
        for index, setting in enumerate(SCREENED)
    }
    found = {"answers": answers, "screened": screened, "refused": refusals(), "sent": times_sent(rank)}
    return found | {"aligned": {how: alignments(rank, how) for how in WRAPPERS}} | single(rank)


def single(rank):
    return {how: answer_update("softly", rank, how, torch.float32)["gradients"] for how in SINGLE}


def times_sent(rank):
    """Micro-batches of this rank in a step, and how often its gradients were sent."""
    sent, model = [], wrapped(small_model(), "ddp")

    def noted(state, bucket):
        sent.append(bucket.index())
        return allreduce_hook(state, bucket)

    model.register_comm_hook(None, noted)
    tokens, attended, answered = (
        part_of(getattr(ragged(), name), rank) for name in ("tokens", "attended", "answered")
    )
    step = AnswerStep(model, sgd(model.parameters()), None, micro_tokens=25, ranks=Ranks())
    step.update(Answers(tokens, attended, answered), part_of(advantages(), rank))
    return step.counts.micro_batches, len(sent)


def refusals():
    """The messages of steps whose policy and ranks do not fit."""
    policy, found = PolicyMLP(SIZES, seed=0), []
    pairs = (
        (DistributedDataParallel(policy), None),
        (policy, Ranks()),
        (wrapped(PolicyMLP(SIZES, seed=0), "fsdp"), None),
    )
    for each, ranks in pairs:
        try:
            ScreenedStep(each, sgd(each.parameters()), Gate(rate=0.5), ranks=ranks)
        except ValueError as error:
            found.append(str(error))
    return found
