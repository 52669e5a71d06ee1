"""The page of all claims: one self-contained HTML file, made from the JSON of ``kondo verify`` and from tables.

``document`` says what the JSON must hold, ``formulas`` turns LaTeX into MathML, ``pictures`` draws the figures,
``explorers`` computes their grids from closed forms, ``wording`` and ``answers`` say numbers and verdicts, ``page``
puts them into ``templates/``, with what ``vendor/`` has of others. May import theory, claims, results and figures; it
must never know how a claim is checked or trained, nor the command line.
"""

from simulations.report.document import read_document
from simulations.report.page import report_from_json, require_page, write_report

__all__ = ["read_document", "report_from_json", "require_page", "write_report"]
