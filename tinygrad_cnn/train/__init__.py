"""Training: the loop, and everything that makes a run safe to stop and pleasant to watch.

===================  ================================================================
`run`                a whole run, new or continued: what the command line starts
`recipes`            how each network is trained on each data set, as a table
`loop`               fit, evaluate, warm_up: the loop, in plain sight
`shift`              small random shifts of training images
`state`              where a run stands, as plain values
`configuration`      what a run was asked to do, as plain values
`checkpoint`         one file from which a run goes on bit for bit
`run_directory`      the folder of a run
`atomic`             files that are there in full or not at all
`lock`               a folder that one process at a time works in
`threads`            how many threads the kernels use meanwhile
`interrupts`         Ctrl-C and termination, acted on between steps
`progress`           bars and tables for people, plain lines for logs
`trained`            the network of a run, and the probabilities it gives
`ensemble`           several networks and several views, averaged
`metrics`            top-k, confusion matrix, precision and recall
`plots`              pictures: curves, confusion, mistakes, filters, feature maps
===================  ================================================================
"""

from tinygrad_cnn.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    take_checkpoint,
)
from tinygrad_cnn.train.configuration import RunConfiguration, fingerprint
from tinygrad_cnn.train.interrupts import Interrupted, Interruption, noted_interrupts
from tinygrad_cnn.train.loop import WarmUp, Watcher, evaluate, fit, warm_up
from tinygrad_cnn.train.plots import draw_curves
from tinygrad_cnn.train.progress import Display
from tinygrad_cnn.train.recipes import RECIPES, Recipe, recipe_for
from tinygrad_cnn.train.run import Run, continued_run, new_run
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.shift import shifted
from tinygrad_cnn.train.state import EpochRecord, Evaluation, TrainingState

__all__ = [
    "RECIPES",
    "Checkpoint",
    "Display",
    "EpochRecord",
    "Evaluation",
    "Interrupted",
    "Interruption",
    "Recipe",
    "Run",
    "RunConfiguration",
    "RunDirectory",
    "TrainingState",
    "WarmUp",
    "Watcher",
    "continued_run",
    "draw_curves",
    "evaluate",
    "fingerprint",
    "fit",
    "load_checkpoint",
    "new_run",
    "noted_interrupts",
    "recipe_for",
    "save_checkpoint",
    "shifted",
    "take_checkpoint",
    "warm_up",
]
