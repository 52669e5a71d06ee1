"""The figures: one a claim, drawn from closed forms, simulations and committed tables."""
