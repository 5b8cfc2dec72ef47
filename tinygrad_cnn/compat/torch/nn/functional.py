"""``torch.nn.functional``: the functions that layers are made of."""

from tinygrad_cnn.compat.namespace import Namespace, under

NAMES = Namespace(
    "torch.nn.functional",
    same="tinygrad_cnn.functional",
    elsewhere=under(
        "tinygrad_cnn.compat.in_place", "dropout dropout2d elu hardsigmoid leaky_relu relu"
    ),
    nearest={
        "adaptive_max_pool2d": "functional.max(x, (2, 3)), functional.adaptive_avg_pool2d",
        "binary_cross_entropy": "functional.binary_cross_entropy_with_logits",
        "gelu": "functional.elu, functional.softplus",
        "interpolate": "functional.conv_transpose2d",
        "one_hot": "numpy.eye(classes)[labels]",
        "silu": "functional.softplus, functional.elu",
        "smooth_l1_loss": "functional.l1_loss, functional.mse_loss",
        "unfold": "functional.windows",
    },
    otherwise="operators and functional, which differentiate what is made of them",
    keywords={
        "input": ("x", "z", "a"),
        "target": ("labels", "y"),
        "other": ("b",),
    },
)
__getattr__ = NAMES.find
