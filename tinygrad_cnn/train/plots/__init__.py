"""Pictures of a run, drawn into PNG files that are there in full or not at all.

==============  =====================================================================
`curves`        loss and accuracy by epoch
`confusion`     which class was taken for which
`samples`       examples of a data set; what the network got wrong
`filters`       the first layer's filters; the feature maps of one image
`report`        all of them, in a folder
`canvas`        a figure without a window, and pixels as they are looked at
==============  =====================================================================
"""

from tinygrad_cnn.train.plots.confusion import draw_confusion
from tinygrad_cnn.train.plots.curves import draw_curves
from tinygrad_cnn.train.plots.filters import draw_feature_maps, draw_filters
from tinygrad_cnn.train.plots.report import draw_report
from tinygrad_cnn.train.plots.samples import draw_examples, draw_mistakes

__all__ = [
    "draw_confusion",
    "draw_curves",
    "draw_examples",
    "draw_feature_maps",
    "draw_filters",
    "draw_mistakes",
    "draw_report",
]
