"""Training: the loop, and everything that makes a run safe to stop and pleasant to watch.

===================  ================================================================
`run`                a whole run: trained, told, and safe to stop
`preparation`        new_run, continued_run: what the command line starts
`recipe`             how to train, as plain values
`recipes`            how each network is trained on each data set, as a table
`augmentation`       named transforms of training images
`loop`               fit: the loop, in plain sight
`evaluation`         evaluate: what a network makes of a data set
`stopping`           early stopping, by training images that are held out
`warm_up`            every kernel compiled before the first counted step
`shift`              small random shifts of training images
`run_data`           its images, loaded and held against the network
`keeper`             what happens around the steps: checkpoints, logs, display
`forecast`           time and memory, said beforehand
`state`              where a run stands, as plain values
`configuration`      what a run was asked to do, as plain values
`input_format`       what a network's images are like, kept with its weights
`checkpoint`         one file from which a run goes on bit for bit
`run_directory`      the folder of a run
`lock`               a folder that one process at a time works in
`threads`            how many threads the kernels use meanwhile
`interrupts`         Ctrl-C and termination, acted on between steps
`progress`           bars and tables for people, plain lines for logs
`overview`           what runs there are in a folder
`trained`            a trained network, taken out of its run
`answers`            the probabilities that it gives
`ensemble`           several networks and several views, averaged
`paired`             two ways to answer, compared image by image
`metrics`            top-k, confusion matrix, precision and recall
`tensorboard`        event files, beside the lines of JSON
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
from tinygrad_cnn.train.evaluation import evaluate
from tinygrad_cnn.train.interrupts import Interrupted, Interruption, noted_interrupts
from tinygrad_cnn.train.loop import Watcher, fit
from tinygrad_cnn.train.plots import draw_curves
from tinygrad_cnn.train.preparation import continued_run, new_run
from tinygrad_cnn.train.progress import Display
from tinygrad_cnn.train.recipe import Recipe
from tinygrad_cnn.train.recipes import RECIPES, recipe_for
from tinygrad_cnn.train.run import Run
from tinygrad_cnn.train.run_directory import RunDirectory
from tinygrad_cnn.train.shift import shifted
from tinygrad_cnn.train.state import EpochRecord, Evaluation, TrainingState
from tinygrad_cnn.train.stopping import BestWeights, hold_out
from tinygrad_cnn.train.warm_up import WarmUp, warm_up

__all__ = [
    "RECIPES",
    "BestWeights",
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
    "hold_out",
    "load_checkpoint",
    "new_run",
    "noted_interrupts",
    "recipe_for",
    "save_checkpoint",
    "shifted",
    "take_checkpoint",
    "warm_up",
]
