"""Gates at the pretrained policy, which does not learn: their drift, their noise, and what they keep."""
