"""``torch.accelerator``: there is none, and a script that asks is told so."""

from tinygrad_cnn.compat.namespace import Namespace, under

NAMES = Namespace(
    "torch.accelerator",
    elsewhere=under("tinygrad_cnn.compat.places", "device_count is_available"),
    nearest=dict.fromkeys(
        ("current_accelerator", "synchronize"), "nothing; tensors live on the CPU"
    ),
    otherwise="nothing; tensors live on the CPU",
)
__getattr__ = NAMES.find
