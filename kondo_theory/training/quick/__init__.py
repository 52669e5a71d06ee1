"""The same steps by fewer operations, where a step is so small that operators' overhead is what it costs.

What the modules around this package say is the definition: nothing here has a result of its own. :mod:`.layers` has
the gradient of plain policies from activations that screening kept, :mod:`.scores` delight and selection, and
:mod:`.step` says when a step may take them.
"""

__all__: list[str] = []
