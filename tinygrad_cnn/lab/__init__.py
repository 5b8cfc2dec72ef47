"""Experiments with kernels: what runs here, and how fast.

===================  ===================================================================
`conv_benchmark`     the three passes of convolutions; `conv_shapes`: which convolutions
`train_benchmark`    whole steps of training and inference; `step_memory`: their memory
`loader_benchmark`   batches of images, and training steps beside which they are made
`loss_curves`        the first losses of a training run, here and there
`trained_networks`   ours, and `pytorch_networks`: the same in PyTorch
`contract`           what every kernel has to keep, checked for one that you wrote
`compile_ahead`      compiling before somebody waits for it
`timing`, `peak`     how times are taken, and the most that this machine can do
`doctor`             what is found on a machine, and whether it works there
`machine`, `rows`    whose figures they are, files of figures, and two files compared
===================  ===================================================================
"""

from tinygrad_cnn.lab.compile_ahead import WarmedUp, kernels_of, warm_up
from tinygrad_cnn.lab.contract import ContractReport, check_kernel
from tinygrad_cnn.lab.conv_benchmark import ConvSummary, benchmark_conv, summarise_conv
from tinygrad_cnn.lab.conv_shapes import CONV_SUBJECTS, conv_layers
from tinygrad_cnn.lab.doctor import Finding, examine
from tinygrad_cnn.lab.loader_benchmark import benchmark_loader
from tinygrad_cnn.lab.loss_curves import LossCurves, compare_losses, require_comparable
from tinygrad_cnn.lab.machine import has_pytorch, machine_facts, on_threads
from tinygrad_cnn.lab.rows import Comparison, Row, compare, read_rows, write_rows
from tinygrad_cnn.lab.timing import Effort, Timing, take_turns
from tinygrad_cnn.lab.train_benchmark import TrainRatio, benchmark_train, summarise_train
from tinygrad_cnn.lab.trained_networks import TRAIN_SUBJECTS, TrainSubject, train_subjects

__all__ = [
    "CONV_SUBJECTS",
    "TRAIN_SUBJECTS",
    "Comparison",
    "ContractReport",
    "ConvSummary",
    "Effort",
    "Finding",
    "LossCurves",
    "Row",
    "Timing",
    "TrainRatio",
    "TrainSubject",
    "WarmedUp",
    "benchmark_conv",
    "benchmark_loader",
    "benchmark_train",
    "check_kernel",
    "compare",
    "compare_losses",
    "conv_layers",
    "examine",
    "has_pytorch",
    "kernels_of",
    "machine_facts",
    "on_threads",
    "read_rows",
    "require_comparable",
    "summarise_conv",
    "summarise_train",
    "take_turns",
    "train_subjects",
    "warm_up",
    "write_rows",
]
