"""Verify claims on this machine, on its GPU if it has one, and keep the evidence.

    python examples/verify.py [DIRECTORY]

The same from the command line: kondo verify --claim gate-law --claim row-gate --preset smoke --report DIRECTORY
"""

import json
import sys
from pathlib import Path

from simulations.report import write_report
from simulations.verification.verify import verify

CLAIMS = ("gate-law", "zero-price-geometry", "row-gate")


def main(directory: Path) -> None:
    """Verify three claims, print the verdicts, write the JSON and the page."""
    directory.mkdir(parents=True, exist_ok=True)
    found = verify("smoke", device="auto", claims=CLAIMS, each=lambda report: print(report.outcomes[-1]))
    (directory / "verify.json").write_text(json.dumps(found.to_json(), indent=2), encoding="utf-8")
    write_report(found.to_json(), directory)
    print(f"on {found.device}: open {directory / 'index.html'}")
    sys.exit(found.exit_code)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "report"))
