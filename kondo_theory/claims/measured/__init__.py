"""Claims that are measured alone: on networks, and on two devices."""

from kondo_theory.claims.measured import devices, language_model, mnist, reversal, reversal_tasks

__all__ = ["devices", "language_model", "mnist", "reversal", "reversal_tasks"]
