"""``torch.cuda``: there is none, and a script that asks is told so."""

from tinygrad_cnn.compat.namespace import Namespace, under

_NO_GPU = "nothing; tensors live on the CPU"
NAMES = Namespace(
    "torch.cuda",
    elsewhere=under(
        "tinygrad_cnn.compat.places", "device_count is_available manual_seed manual_seed_all"
    ),
    nearest=dict.fromkeys(
        ("amp", "current_device", "empty_cache", "get_device_name", "synchronize"), _NO_GPU
    ),
    otherwise=_NO_GPU,
)
__getattr__ = NAMES.find
