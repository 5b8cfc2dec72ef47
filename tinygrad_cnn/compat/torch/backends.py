"""``torch.backends``: libraries for other devices, none of which is here."""

from tinygrad_cnn.compat.namespace import Namespace, under

NAMES = Namespace(
    "torch.backends",
    elsewhere=under("tinygrad_cnn.compat.places", "cudnn mps"),
    nearest={"mkldnn": "tinygrad_cnn.kernels.use(...), which picks kernels"},
    otherwise="tinygrad_cnn.kernels, and tinygrad-cnn doctor, which tells of this machine",
)
__getattr__ = NAMES.find
