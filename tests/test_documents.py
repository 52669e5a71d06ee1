"""README's example in Python runs and gives what its comments say; files that the documents name are there."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECIMAL = re.compile(r"-?\d+\.\d+")


def example():
    """Return the block of code below the section's heading."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^## In Python\n+```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    return code


def results(code):
    """Run the lines one by one; return (what it prints, the comment behind it) of each that has a value."""
    space, found = {}, []
    for node in ast.parse(code).body:
        comment = code.splitlines()[node.end_lineno - 1].partition("#")[2].strip()
        if isinstance(node, ast.Expr):
            value = eval(compile(ast.Expression(node.value), "README.md", "eval"), space)
        else:
            exec(compile(ast.Module([node], []), "README.md", "exec"), space)
            value = space[node.targets[0].id] if isinstance(node, ast.Assign) else None
        if value is not None:
            found.append((str(value), comment))
    return found


def agrees(printed, comment):
    """Whether a comment is what was printed: decimals to 1e-6, and anything for an ``…``."""
    start, ellipsis, end = comment.partition("…")
    if ellipsis:
        return printed.startswith(start) and printed.endswith(end)
    if DECIMAL.sub("x", printed) != DECIMAL.sub("x", comment):
        return False
    numbers, said = (np.array(DECIMAL.findall(text), dtype=float) for text in (printed, comment))
    return np.allclose(numbers, said, rtol=1e-6, atol=0)


def test_the_example_runs_and_gives_what_its_comments_say():
    found = results(example())
    assert len(found) == 6
    assert [line for line in found if not agrees(*line)] == []


def test_negative_control_a_wrong_comment_and_a_name_that_is_gone_are_noticed():
    lines = [line for line in example().splitlines() if "import" in line or "stall_point" in line]
    (right,) = results("\n".join(lines))
    assert agrees(*right)
    for wrong in (right[1].replace("0.198", "0.199"), right[1].replace("nan", "0.5"), right[1] + " …"):
        assert not agrees(right[0], wrong)
    with pytest.raises(AttributeError, match="stall_pont"):
        results("\n".join(lines).replace("stall_point", "stall_pont"))


def test_the_readme_can_be_read_in_one_go():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200, "long lists stand in docs/"


def named_files(text):
    """Paths from the root that stand in backticks; of one yet to be made (``my_claim.py``) its directory."""
    for word in " ".join(re.findall(r"`([^`\n]+)`", text)).split():
        path, _, _ = word.partition("::")
        if re.fullmatch(r"(docs|kondo_theory|paper_figs|simulations|tests)/[\w./-]*", path):
            new = re.search(r"[^/]*(my_|[A-Z]{4})", path)  # or in a place to be chosen: ROOM, FAMILY, NAME
            yield path[: new.start()] if new else path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_files_that_a_document_names_are_there(document):
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    gone = {path for path in named_files(text) if not (ROOT / path).exists()}
    assert gone | {link for link in links if not (document.parent / link).exists()} == set()


def test_negative_control_a_file_that_moved_is_found():
    text = (
        "`tests/gone.py::test` of `simulations/cli/` in `simulations/sweeps/cells/ROOM/my_sweep.py`, `tests/my_x.py`"
    )
    assert list(named_files(text)) == ["tests/gone.py", "simulations/cli/", "simulations/sweeps/cells/", "tests/"]
