"""Data sets, the batches cut from them, and what is done to pixels before.

``load(name)`` returns a data set ready for a network:

>>> train, test = load("digits")
>>> train.images.shape, train.images.dtype, test.labels[:3]
((1438, 1, 32, 32), dtype('float32'), array([4, 9, 4]))

===============  ====================================================================
`dataset`        Dataset, to subclass; ArrayDataset and Split: images and labels as arrays
`subsets`        Subset, random_split, ConcatDataset
`loader`         DataLoader: batches, in order or shuffled, made by `workers`
`examples`       read one by one, and made into a batch: collate
`catalogue`      data sets by name: load, names, fetch; `description` says what they are
`digits`         1,797 handwritten digits that come with the package
`mnist`          MNIST, Fashion-MNIST and KMNIST; `emnist` with letters
`cifar`          CIFAR-10 and CIFAR-100; `cifar_classes` names their classes
`folder`         ImageFolder: image files, a folder for each class; `own_images` by name
`pictures`       image files that somebody brings, made what a network takes
`idx`            reader of the file format of MNIST and its kin
`cifar_format`   readers of the two file formats of CIFAR
`source`         what a published data set consists of
`places`         where its files are looked for
`download`       how they are fetched, `unpacking` how taken out of an archive
`transforms`     to_float, pad, crop_and_flip, Standardise
`compose`        what a transform of a batch is; Compose
`draws`          random numbers that depend on seed, epoch and example alone
`crops`          RandomCrop, RandomFlip, CentreCrop, ten_crops, Cutout
`colour`         Normalise, PCAColourJitter; `distortion` ElasticDistortion; `resize` Resize
===============  ====================================================================
"""

from tinygrad_cnn.data.catalogue import fetch, load, names
from tinygrad_cnn.data.cifar import CIFAR10, CIFAR100, CifarSource, load_cifar10, load_cifar100
from tinygrad_cnn.data.colour import Normalise, PCAColourJitter
from tinygrad_cnn.data.compose import Compose, Transform
from tinygrad_cnn.data.crops import CentreCrop, Cutout, RandomCrop, RandomFlip, ten_crops
from tinygrad_cnn.data.dataset import ArrayDataset, Dataset, Split
from tinygrad_cnn.data.description import Description, describe
from tinygrad_cnn.data.digits import load_digits, upsample
from tinygrad_cnn.data.distortion import ElasticDistortion
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.data.emnist import EMNIST, load_emnist
from tinygrad_cnn.data.examples import collate
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
from tinygrad_cnn.data.own_images import load_own_images
from tinygrad_cnn.data.pictures import Picture, find_pictures, read_picture
from tinygrad_cnn.data.resize import Resize
from tinygrad_cnn.data.source import PublishedFile, Source
from tinygrad_cnn.data.subsets import ConcatDataset, Subset, random_split
from tinygrad_cnn.data.transforms import Standardise, crop_and_flip, pad, to_float

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "FASHION_MNIST",
    "KMNIST",
    "MNIST",
    "ArrayDataset",
    "CentreCrop",
    "CifarSource",
    "Compose",
    "ConcatDataset",
    "Cutout",
    "DataLoader",
    "Dataset",
    "Description",
    "Draws",
    "ElasticDistortion",
    "IdxSource",
    "ImageFolder",
    "Normalise",
    "PCAColourJitter",
    "Picture",
    "PublishedFile",
    "RandomCrop",
    "RandomFlip",
    "Resize",
    "Source",
    "Split",
    "Standardise",
    "Subset",
    "Transform",
    "collate",
    "crop_and_flip",
    "describe",
    "fetch",
    "find_pictures",
    "load",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_emnist",
    "load_idx_source",
    "load_mnist",
    "load_own_images",
    "names",
    "pad",
    "random_split",
    "read_idx",
    "read_picture",
    "ten_crops",
    "to_float",
    "upsample",
]
