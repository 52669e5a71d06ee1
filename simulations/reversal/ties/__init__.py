"""Token reversal where a gate keeps whatever ties with the k-th score, as the code of [KG] does."""
