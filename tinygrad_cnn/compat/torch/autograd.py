"""``torch.autograd``: gradients as return values."""

from tinygrad_cnn.compat.namespace import Namespace

NAMES = Namespace(
    "torch.autograd",
    elsewhere={
        "Variable": "tinygrad_cnn.compat.values.variable",
        "grad": "tinygrad_cnn.grad",
        "gradcheck": "tinygrad_cnn.gradcheck",
        "gradgradcheck": "tinygrad_cnn.gradgradcheck",
    },
    nearest={
        "Function": "tinygrad_cnn.FunctionElement",
        "functional": "tinygrad_cnn.hessian_vector_product",
        "set_detect_anomaly": "tinygrad_cnn.explain.record(), which shows every value",
    },
)
__getattr__ = NAMES.find
