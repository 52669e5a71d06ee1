"""``python -m paper_figs`` draws every figure into ``figures/``; ``kondo figures`` has the options."""

from pathlib import Path

from paper_figs.writing import write

for path in write(None, Path("figures")):
    print(f"wrote {path}")
