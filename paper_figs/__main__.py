"""``python -m paper_figs`` draws every figure into ``figures/``; ``kondo figures`` has the options."""

from pathlib import Path

from paper_figs.drawing import draw

for path in draw(None, Path("figures")):
    print(f"wrote {path}")
