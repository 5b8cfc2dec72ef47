"""``torch``: tensors, and the functions that make them and calculate with them."""

from tinygrad_cnn.compat.namespace import Namespace, under
from tinygrad_cnn.compat.torch import accelerator, autograd, backends, cuda, nn, optim, utils
from tinygrad_cnn.version import __version__ as __version__

NAMES = Namespace(
    "torch",
    elsewhere={
        **under(
            "tinygrad_cnn",
            "arange cat concatenate enable_grad float32 float64 full int64 is_grad_enabled "
            "manual_seed no_grad ones ones_like rand randn stack tensor zeros zeros_like",
        ),
        **under(  # functions that are methods here: torch.max(x, 1) is x.max(1)
            "tinygrad_cnn.Tensor",
            "abs all amax amin any argmax clamp clone eq exp flatten ge gt le log log_softmax lt "
            "matmul max mean min mm ne numel permute pow relu reshape sigmoid softmax sqrt squeeze "
            "std sum t tanh transpose unsqueeze var",
        ),
        **under(
            "tinygrad_cnn.compat.values",
            "DoubleTensor FloatTensor Generator LongTensor Tensor allclose equal is_tensor randint "
            "randperm set_grad_enabled",
        ),
        "as_tensor": "tinygrad_cnn.tensor",
        "from_numpy": "tinygrad_cnn.tensor",
        "inference_mode": "tinygrad_cnn.no_grad",
        **under("operator", "add mul sub"),
        "div": "operator.truediv",
        "broadcast_to": "tinygrad_cnn.functional.broadcast_to",
        "device": "tinygrad_cnn.compat.places.device",
        "save": "tinygrad_cnn.compat.state_files.save",
        "load": "tinygrad_cnn.compat.state_files.load",
        "float": "tinygrad_cnn.float32",
        "double": "tinygrad_cnn.float64",
        "long": "tinygrad_cnn.int64",
        "int": "numpy.int32",
        "int32": "numpy.int32",
        "uint8": "numpy.uint8",
        "bool": "numpy.bool",
    },
    nearest={
        "bfloat16": "float32",
        "compile": "nothing; kernels are compiled when they are first used",
        "einsum": "matmul, or a sum of products",
        "empty": "zeros(sizes)",
        "float16": "float32",
        "half": "float32",
        "jit": "nothing; kernels are compiled when they are first used",
        "linspace": "arange(start, stop, step)",
        "set_num_threads": "numba.set_num_threads(number)",
        "topk": "argmax(x, dim)",
        "use_deterministic_algorithms": "nothing; results are equal to the bit from run to run",
        "where": "a product with a mask, mask.float() * x",
    },
)
__all__ = ["NAMES", "accelerator", "autograd", "backends", "cuda", "nn", "optim", "utils"]
__getattr__ = NAMES.find


def __dir__() -> list[str]:
    return sorted({*NAMES.names(), *__all__[1:]})
