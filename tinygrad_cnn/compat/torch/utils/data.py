"""``torch.utils.data``: data sets, and the batches cut from them."""

from tinygrad_cnn.compat.namespace import Namespace

NAMES = Namespace(
    "torch.utils.data",
    elsewhere={
        "DataLoader": "tinygrad_cnn.compat.loading.DataLoader",
        **{
            name: f"tinygrad_cnn.compat.examples.{name}"
            for name in ("Dataset", "Subset", "TensorDataset", "default_collate", "random_split")
        },
    },
    nearest={
        "ConcatDataset": "a Dataset of your own with two inside",
        "IterableDataset": "Dataset, whose examples are counted",
        "RandomSampler": "DataLoader(shuffle=True)",
        "SequentialSampler": "DataLoader(shuffle=False)",
        "SubsetRandomSampler": "DataLoader(Subset(dataset, indices), shuffle=True)",
        "WeightedRandomSampler": "Subset(dataset, indices) with repeated indices",
    },
)
__getattr__ = NAMES.find


def __dir__() -> list[str]:
    return NAMES.names()
