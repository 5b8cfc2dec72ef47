"""``torch.utils.data``: data sets, and the batches cut from them."""

from tinygrad_cnn.compat.namespace import Namespace

NAMES = Namespace(
    "torch.utils.data",
    elsewhere={
        "ConcatDataset": "tinygrad_cnn.data.ConcatDataset",
        "DataLoader": "tinygrad_cnn.compat.loading.DataLoader",
        "Dataset": "tinygrad_cnn.data.Dataset",
        "Subset": "tinygrad_cnn.data.Subset",
        "TensorDataset": "tinygrad_cnn.compat.loading.TensorDataset",
        "default_collate": "tinygrad_cnn.compat.loading.default_collate",
        "random_split": "tinygrad_cnn.data.random_split",
    },
    nearest={
        "BatchSampler": "DataLoader(batch_size=, shuffle=, drop_last=)",
        "IterableDataset": "Dataset, whose examples are counted",
        "RandomSampler": "DataLoader(shuffle=True)",
        "SequentialSampler": "DataLoader(shuffle=False)",
        "SubsetRandomSampler": "DataLoader(Subset(dataset, indices), shuffle=True)",
        "WeightedRandomSampler": "Subset(dataset, indices) with repeated indices",
        "dataloader": "torch.utils.data itself",
        "dataset": "torch.utils.data itself",
        "get_worker_info": "nothing; workers are threads, which share the data set",
        "sampler": "DataLoader(Subset(dataset, indices), shuffle=True)",
    },
    otherwise="Dataset to subclass, and DataLoader with its collate_fn=",
)
__getattr__ = NAMES.find


def __dir__() -> list[str]:
    return NAMES.names()
