"""Kernels: arrays in, arrays out, nothing known of graphs.

The folder stands at the top of the repository and is imported as
``tinygrad_cnn.kernels``. One operation has the same name on every device, and may have
several *variants*; :mod:`~tinygrad_cnn.kernels.registry` finds the one to run.

======================  ==========================================================
`registry`              operation, device, variant → kernel
`geometry`              sliding windows and the table of shape letters
`layout`                the one place that decides how arrays lie in memory
`buffer_pool`           memory that is reused from step to step
`jit`                   how kernels are compiled, cached and timed
`scalar/`               operations on Python floats
`reference/`            operations on arrays as plain loops: the readable definition
`cpu/`                  operations on arrays, compiled by Numba
======================  ==========================================================
"""

if __name__ != "tinygrad_cnn.kernels":
    raise ImportError(
        f"kernels: this folder is imported as 'tinygrad_cnn.kernels'; got the import name "
        f"{__name__!r}. Write 'from tinygrad_cnn import kernels'."
    )

from tinygrad_cnn.kernels.registry import implements, load_all, lookup, use, variants

__all__ = ["implements", "load_all", "lookup", "use", "variants"]
