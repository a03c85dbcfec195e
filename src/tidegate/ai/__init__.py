"""Models that predict what requests cost: samples, training, the registry, and how one comes into use.

Serving a model and keeping it in the registry need nothing beyond tidegate itself. What writes samples,
trains and imports needs the extra `tidegate[ai]`, and imports it where it is used.
"""
