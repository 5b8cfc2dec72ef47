"""How a run and its arrays are shown: text tables, Markdown, LaTeX, drawings, colours, pages.

Everything here renders from one document, the :class:`~tinygrad_cnn.explain.GraphDump`. A drawing
is made in steps, a module each: :mod:`.plan` says which boxes and arrows there are, :mod:`.layout`
where they stand, and :mod:`.svg` what they look like.
"""
