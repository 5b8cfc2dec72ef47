"""Data sets, the batches cut from them, and what is done to pixels before.

``load(name)`` returns a data set ready for a network:

>>> train, test = load("digits")
>>> train.images.shape, train.images.dtype, test.labels[:3]
((1438, 1, 32, 32), dtype('float32'), array([4, 9, 4]))

===============  ====================================================================
`dataset`        ArrayDataset and Split: images and labels as arrays
`loader`         DataLoader: batches, in order or shuffled
`transforms`     to_float, pad, crop_and_flip, Standardise
`channels`       StandardiseChannels: a mean and a deviation for each colour
`catalogue`      data sets by name: load, names, describe, fetch
`digits`         1,797 handwritten digits that come with the package
`mnist`          MNIST, Fashion-MNIST and KMNIST; `emnist` with letters
`cifar`          CIFAR-10 and CIFAR-100; `cifar_classes` names their classes
`folder`         ImageFolder: image files, a folder for each class
`idx`            reader of the file format of MNIST and its kin
`cifar_format`   readers of the two file formats of CIFAR
`source`         what a published data set consists of
`places`         where its files are looked for
`download`       how they are fetched, `unpacking` how taken out of an archive
===============  ====================================================================
"""

from tinygrad_cnn.data.catalogue import Description, describe, fetch, load, names
from tinygrad_cnn.data.channels import StandardiseChannels
from tinygrad_cnn.data.cifar import CIFAR10, CIFAR100, CifarSource, load_cifar10, load_cifar100
from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.data.digits import load_digits, upsample
from tinygrad_cnn.data.emnist import EMNIST, load_emnist
from tinygrad_cnn.data.folder import ImageFolder
from tinygrad_cnn.data.idx import read_idx
from tinygrad_cnn.data.loader import DataLoader
from tinygrad_cnn.data.mnist import (
    FASHION_MNIST,
    KMNIST,
    MNIST,
    IdxSource,
    load_idx_source,
    load_mnist,
)
from tinygrad_cnn.data.source import PublishedFile, Source
from tinygrad_cnn.data.transforms import Standardise, crop_and_flip, pad, to_float

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "FASHION_MNIST",
    "KMNIST",
    "MNIST",
    "ArrayDataset",
    "CifarSource",
    "DataLoader",
    "Description",
    "IdxSource",
    "ImageFolder",
    "PublishedFile",
    "Source",
    "Split",
    "Standardise",
    "StandardiseChannels",
    "crop_and_flip",
    "describe",
    "fetch",
    "load",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_emnist",
    "load_idx_source",
    "load_mnist",
    "names",
    "pad",
    "read_idx",
    "to_float",
    "upsample",
]
