"""All tables of names as one page: what ``NAMES.md`` shows."""

import importlib
from collections.abc import Iterator

from tinygrad_cnn.compat.namespace import Namespace

#: The modules of PyTorch that are here, in the order they are listed.
MODULES = (
    "torch",
    "torch.accelerator",
    "torch.autograd",
    "torch.backends",
    "torch.cuda",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.utils",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils",
    "torch.utils.data",
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
)

_BEGIN = """\
# PyTorch's names, and what they stand for here

`python -m tinygrad_cnn.compat` writes this page; a test compares. What stands in no table is
answered with an error, an `AttributeError` (an `ImportError` where it is imported), that names the
nearest thing there is.

## What is different

* Images and labels, weights and results live on the CPU; `.cuda()` says so.
* `torch.Tensor(2, 3)` is zeros; `from_numpy` copies, and so does `x[key]`.
* `model.state_dict()` holds NumPy arrays: `.shape` for `.size()`.
* `torch.save` writes state dictionaries, and dictionaries of these with numbers, texts and lists,
  as safetensors, and nothing else; `torch.load` reads these, and files of PyTorch's that hold a
  state dictionary. Nothing is ever unpickled.
* Workers of a `DataLoader` are threads. Batches of whole numbers with several axes come as float32.
* Random numbers are NumPy's: the same seed gives other numbers than in PyTorch, and the same
  ones on every run.
* `set_grad_enabled` is for `with` blocks; of equal values the first is the largest, in `amax` too.
"""


def namespace(name: str) -> Namespace:
    """Return the table of a module of PyTorch, by its name."""
    names: Namespace = importlib.import_module(f"tinygrad_cnn.compat.{name}").NAMES
    return names


def page() -> str:
    """Return the page in Markdown."""
    return "\n".join([_BEGIN, *(line for name in MODULES for line in _section(namespace(name)))])


def _section(names: Namespace) -> Iterator[str]:
    yield f"## {names.name}\n"
    if names.same:
        yield f"All public names of `{names.same}` under the same name.\n"
    if names.elsewhere:
        yield "| name | stands for |\n|---|---|"
        yield from (f"| `{name}` | `{path}` |" for name, path in sorted(names.elsewhere.items()))
        yield ""
    if names.nearest:
        yield "| not here | nearest |\n|---|---|"
        yield from (f"| `{name}` | {nearest} |" for name, nearest in sorted(names.nearest.items()))
        if isinstance(names.otherwise, str):
            yield f"| anything else | {names.otherwise} |"
        yield ""
