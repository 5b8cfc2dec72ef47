"""``torch``: tensors, and the functions that make them and calculate with them."""

from tinygrad_cnn import array_names
from tinygrad_cnn.compat.namespace import Namespace, under
from tinygrad_cnn.compat.torch import accelerator, autograd, backends, cuda, nn, optim, utils
from tinygrad_cnn.version import __version__ as __version__

# Methods that tensors lack, and that are functions too.
_LACKING = under(
    "tinygrad_cnn.Tensor",
    "addmm argmin argsort bmm chunk dot gather index_select masked_fill masked_select norm outer "
    "scatter sort split topk unbind where",
)
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
            "matmul max mean min mm ne neg numel permute pow relu reshape sigmoid softmax sqrt "
            "square squeeze std sum t tanh transpose unsqueeze var",
        ),
        **under(
            "tinygrad_cnn.compat.values",
            "BoolTensor ByteTensor DoubleTensor FloatTensor Generator IntTensor LongTensor Tensor "
            "allclose equal eye is_tensor linspace rand_like randint randn_like randperm "
            "set_grad_enabled",
        ),
        "empty": "tinygrad_cnn.zeros",
        "empty_like": "tinygrad_cnn.zeros_like",
        "as_tensor": "tinygrad_cnn.tensor",
        "from_numpy": "tinygrad_cnn.tensor",
        "inference_mode": "tinygrad_cnn.no_grad",
        **under("operator", "add mul sub"),
        **under("math", "inf nan pi"),
        **under("numba", "get_num_threads set_num_threads"),
        **under("numpy", "finfo set_printoptions"),
        "Size": "builtins.tuple",
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
        **{name: array_names.NEAREST[name] for name in _LACKING},
        "amp": "nothing; numbers are float32 or float64",
        "autocast": "nothing; numbers are float32 or float64",
        "bernoulli": "(rand(sizes) < p).float()",
        "bfloat16": "float32",
        "bincount": "numpy.bincount(x.numpy())",
        "compile": "nothing; kernels are compiled when they are first used",
        "distributed": "nothing; kernels use all cores",
        "einsum": "matmul, or a sum of products",
        "float16": "float32",
        "full_like": "full(x.shape, number)",
        "get_default_dtype": "float32",
        "get_rng_state": "tinygrad_cnn.random.default_generator().bit_generator.state",
        "half": "float32",
        "hstack": "cat(tensors, 1)",
        "hub": "tinygrad_cnn.models.build(name), tinygrad_cnn.models.read_weights(path)",
        "jit": "nothing; kernels are compiled when they are first used",
        "linalg": "numpy.linalg; of a norm (x * x).sum().sqrt()",
        "maximum": "nn.functional.relu(x - y) + y",
        "minimum": "x - nn.functional.relu(x - y)",
        "multinomial": "numpy.random.default_rng().choice(n, size, p=shares)",
        "normal": "randn(sizes) * std + mean",
        "onnx": "save(model.state_dict(), path)",
        "random": "manual_seed(seed)",
        "seed": "manual_seed(seed)",
        "set_default_dtype": "dtype= where a tensor is made, and model.double()",
        "use_deterministic_algorithms": "nothing; results are equal to the bit from run to run",
        "version": "tinygrad_cnn.__version__",
        "vmap": "functions take batches",
        "vstack": "cat(tensors)",
    },
    otherwise=array_names.by_way_of_numpy,
    keywords={"input": ("self", "x"), "obj": ("state", "value"), "f": ("path",)},
)
__all__ = ["NAMES", "accelerator", "autograd", "backends", "cuda", "nn", "optim", "utils"]
__getattr__ = NAMES.find


def __dir__() -> list[str]:
    return sorted({*NAMES.names(), *__all__[1:]})
