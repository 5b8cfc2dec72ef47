"""PyTorch's names for what this package has, so that a script runs after changing its imports.

::

    from tinygrad_cnn.compat import torch
    from tinygrad_cnn.compat.torch import nn, optim
    from tinygrad_cnn.compat.torch.nn import functional as F
    from tinygrad_cnn.compat.torch.utils.data import DataLoader, Dataset
    from tinygrad_cnn.compat.torchvision import datasets, transforms

A map and nothing more: tensors, layers and optimisers are those of this package, and so are
error messages and printouts. Each module is a :class:`~tinygrad_cnn.compat.namespace.Namespace`,
a table of names; what stands in no table is answered with
:class:`~tinygrad_cnn.errors.MissingNameError`, which names the nearest thing there is.
``NAMES.md`` beside this file shows all tables; ``python -m tinygrad_cnn.compat`` writes it.
"""

from tinygrad_cnn.compat import imports

imports.install()
