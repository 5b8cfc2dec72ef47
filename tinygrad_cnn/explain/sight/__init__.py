"""What a network looks at: maps, filters, saliency, receptive fields and their dual.

:func:`feature_maps` and :func:`filters` show what is computed, and with what weights.
:func:`saliency` and :func:`grad_cam` ask a class score which pixels or regions it depends on.
:func:`receptive_field` looks back from one number to the image, and :func:`error_field` ahead from
one weight to all whose errors reach it.
"""

from tinygrad_cnn.explain.sight import dependence_rows  # noqa: F401  # enters its rows
from tinygrad_cnn.explain.sight.error_field import ErrorField, error_field
from tinygrad_cnn.explain.sight.maps import FeatureMaps, Filters, feature_maps, filters
from tinygrad_cnn.explain.sight.picture_sheet import Panel, Sheet, require_picture_file
from tinygrad_cnn.explain.sight.receptive_field import ReceptiveField, receptive_field
from tinygrad_cnn.explain.sight.saliency import GradCAM, Saliency, grad_cam, saliency

__all__ = [
    "ErrorField",
    "FeatureMaps",
    "Filters",
    "GradCAM",
    "Panel",
    "ReceptiveField",
    "Saliency",
    "Sheet",
    "error_field",
    "feature_maps",
    "filters",
    "grad_cam",
    "receptive_field",
    "require_picture_file",
    "saliency",
]
