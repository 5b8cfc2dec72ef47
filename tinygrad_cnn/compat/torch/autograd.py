"""``torch.autograd``: gradients as return values."""

from tinygrad_cnn.compat.namespace import Namespace

NAMES = Namespace(
    "torch.autograd",
    elsewhere={
        "Variable": "tinygrad_cnn.compat.values.variable",
        "detect_anomaly": "tinygrad_cnn.detect_anomaly",
        "grad": "tinygrad_cnn.grad",
        "gradcheck": "tinygrad_cnn.gradcheck",
        "gradgradcheck": "tinygrad_cnn.gradgradcheck",
    },
    nearest={
        "Function": "tinygrad_cnn.FunctionElement",
        "functional": "tinygrad_cnn.hessian_vector_product",
        "profiler": "tinygrad_cnn.explain.record(), and story(loss, columns=...)",
        "set_detect_anomaly": "tinygrad_cnn.detect_anomaly(), for a with block",
    },
    otherwise="tinygrad_cnn.grad, tinygrad_cnn.FunctionElement",
)
__getattr__ = NAMES.find
