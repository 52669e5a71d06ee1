"""Prices that are decisions: of least expected cost, and the window within which the exact delight pays."""
