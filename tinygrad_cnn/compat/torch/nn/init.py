"""``torch.nn.init``: initial weights."""

from tinygrad_cnn.compat.namespace import Namespace, under

NAMES = Namespace(
    "torch.nn.init",
    elsewhere=under(
        "tinygrad_cnn.nn.init",
        "calculate_gain constant_ kaiming_normal_ kaiming_uniform_ normal_ ones_ trunc_normal_ "
        "uniform_ xavier_normal_ xavier_uniform_ zeros_",
    ),
    nearest={
        "dirac_": "init.zeros_, and ones in the middle: weight.data[k, k, 1, 1] = 1",
        "orthogonal_": "init.xavier_normal_",
    },
    otherwise="init.kaiming_uniform_, or weight.data.copy_(values)",
)
__getattr__ = NAMES.find
