"""``torch.nn``: layers."""

from tinygrad_cnn.compat.namespace import Namespace
from tinygrad_cnn.compat.torch.nn import functional, init, utils

_TIME = "nothing; there are no layers for sequences here"
NAMES = Namespace(
    "torch.nn",
    same="tinygrad_cnn.nn",
    nearest={
        "AvgPool1d": "nn.functional.avg_pool1d",
        "BCELoss": "nn.BCEWithLogitsLoss, which takes the scores before the sigmoid",
        "DataParallel": "nothing; kernels use all cores",
        "Embedding": _TIME,
        "GELU": "nn.ELU, nn.Softplus",
        "GRU": _TIME,
        "GroupNorm": "nn.BatchNorm2d",
        "KLDivLoss": "nn.CrossEntropyLoss",
        "LSTM": _TIME,
        "LayerNorm": "nn.BatchNorm1d",
        "MaxPool1d": "nn.functional.max_pool1d",
        "ModuleDict": "nn.Sequential of a dictionary, or attributes",
        "MultiheadAttention": _TIME,
        "ParameterList": "attributes, each a nn.Parameter",
        "RNN": _TIME,
        "SiLU": "nn.Softplus, nn.ELU",
        "SmoothL1Loss": "nn.L1Loss, nn.MSELoss",
        "Transformer": _TIME,
        "Unflatten": "x.view(sizes)",
        "Upsample": "nn.ConvTranspose2d",
        "ZeroPad2d": "nn.functional.pad",
        "modules": "torch.nn itself",
        "parameter": "torch.nn itself, which has Parameter",
    },
    otherwise="a nn.Module of your own, whose forward calls nn.functional",
)
__all__ = ["NAMES", "functional", "init", "utils"]
__getattr__ = NAMES.find


def __dir__() -> list[str]:
    return sorted({*NAMES.names(), *__all__[1:]})
