"""The grid of protocols in which the published errors might appear, and the rule that says whether they do.

Knows what a run is and how tables are read; trains nothing.
"""
