"""The graph explains itself: what was computed, by which rule, and what came back.

``with record(): ...`` keeps figures of every value and error signal; :func:`story` prints
them, one line for each element, forward and backward. :func:`rules` lists what each element
declares of itself.

Everything that is printed or drawn renders from one document, :class:`GraphDump`:
:func:`story`, :func:`markdown`, :func:`latex`, :func:`dot`, :func:`svg`, :func:`page`; and
:func:`difference` compares two.

:func:`fan_ins`, :func:`count_paths`, :func:`split_by_length` and
:func:`contribution_matrices` follow the paths by which an error signal came, and
:func:`compare_orders` shows why they are walked in topological order.
:func:`toolbox_replay` sets the lectures' reference code beside the chain rule and this library;
:func:`explain_gradcheck` and :func:`gradcheck_network` say why gradients and differences disagree.
:mod:`~tinygrad_cnn.explain.sight` shows what a network looks at: maps, filters, saliency, receptive
fields and error fields.

:func:`fault` breaks the chain rule on purpose, :func:`train_with_fault` shows what comes of it,
:func:`diagnose` and :func:`diagnose_training` find the mistake, and :func:`hit_rate` how often.

:func:`atlas` shows δ of every element of a network, :func:`compare_networks` of several beside
each other, :func:`follow_training` over its steps.
"""

from tinygrad_cnn.explain.atlas import (
    Atlas,
    atlas,
    compare_networks,
    follow_training,
    measure_updates,
    record_excerpts,
)
from tinygrad_cnn.explain.derivation import (
    Derivation,
    derive,
)
from tinygrad_cnn.explain.difference import (
    Difference,
    difference,
)
from tinygrad_cnn.explain.faults import (
    FAULTS,
    diagnose,
    diagnose_training,
    diagnose_updates,
    fault,
    hit_rate,
    train_with_fault,
)
from tinygrad_cnn.explain.gradcheck.network import (
    gradcheck_network,
)
from tinygrad_cnn.explain.gradcheck.report import (
    explain_gradcheck,
)
from tinygrad_cnn.explain.graph_dump import (
    GraphDump,
    dump,
)
from tinygrad_cnn.explain.paths.contributions import (
    contribution_matrices,
)
from tinygrad_cnn.explain.paths.counts import count_paths
from tinygrad_cnn.explain.paths.fan_ins import fan_ins
from tinygrad_cnn.explain.paths.lengths import (
    split_by_length,
)
from tinygrad_cnn.explain.paths.orders import (
    compare_orders,
)
from tinygrad_cnn.explain.recording import (
    Recording,
    Statistics,
    record,
)
from tinygrad_cnn.explain.rendering.dot import (
    dot,
)
from tinygrad_cnn.explain.rendering.latex import (
    latex,
)
from tinygrad_cnn.explain.rendering.markdown import (
    markdown,
)
from tinygrad_cnn.explain.rendering.page import (
    page,
)
from tinygrad_cnn.explain.rendering.svg import (
    svg,
)
from tinygrad_cnn.explain.rules import (
    rules,
)
from tinygrad_cnn.explain.sight import (
    error_field,
    feature_maps,
    filters,
    grad_cam,
    receptive_field,
    saliency,
)
from tinygrad_cnn.explain.stepper import (
    Stepper,
    step,
)
from tinygrad_cnn.explain.story import (
    story,
)
from tinygrad_cnn.explain.toolbox_replay import (
    toolbox_replay,
)
from tinygrad_cnn.explain.torch_dump import (
    dump_torch,
)
from tinygrad_cnn.explain.weight_matrix import (
    draw_weight_matrix,
    weight_matrix,
)
from tinygrad_cnn.explain.zoom import (
    Zoom,
    zoom,
)

__all__ = [
    "FAULTS",
    "Atlas",
    "Derivation",
    "Difference",
    "GraphDump",
    "Recording",
    "Statistics",
    "Stepper",
    "Zoom",
    "atlas",
    "compare_networks",
    "compare_orders",
    "contribution_matrices",
    "count_paths",
    "derive",
    "diagnose",
    "diagnose_training",
    "diagnose_updates",
    "difference",
    "dot",
    "draw_weight_matrix",
    "dump",
    "dump_torch",
    "error_field",
    "explain_gradcheck",
    "fan_ins",
    "fault",
    "feature_maps",
    "filters",
    "follow_training",
    "grad_cam",
    "gradcheck_network",
    "hit_rate",
    "latex",
    "markdown",
    "measure_updates",
    "page",
    "receptive_field",
    "record",
    "record_excerpts",
    "rules",
    "saliency",
    "split_by_length",
    "step",
    "story",
    "svg",
    "toolbox_replay",
    "train_with_fault",
    "weight_matrix",
    "zoom",
]
