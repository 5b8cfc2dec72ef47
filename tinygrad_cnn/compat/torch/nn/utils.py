"""``torch.nn.utils``: gradients kept within bounds."""

from tinygrad_cnn.compat.namespace import Namespace, under

NAMES = Namespace(
    "torch.nn.utils",
    elsewhere=under("tinygrad_cnn.optim", "clip_grad_norm_ clip_grad_value_"),
    nearest={"parameters_to_vector": "tinygrad_cnn.cat([p.view(-1) for p in model.parameters()])"},
    otherwise="a nn.Module of your own around the layer",
)
__getattr__ = NAMES.find
