"""What a network looks at: maps, filters, saliency, receptive fields and their dual."""

from tinygrad_cnn.explain.sight import dependence_rows  # noqa: F401  # enters its rows
