"""Squared distances between the vectors of a batch and a set of codes."""

from collections.abc import Sequence
from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.elements.affine import matmul
from tinygrad_cnn.elements.arithmetic import add, multiply, negative, subtract
from tinygrad_cnn.elements.reduce import sum
from tinygrad_cnn.elements.requirements import lifted, one_float_type
from tinygrad_cnn.elements.transpose import transpose
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import Node
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable


class SquaredDistancesElement(ArrayElement, name="squared_distances"):
    """Measure how far each vector of a batch is from each code."""

    rule = Rule(
        ("x", "weight"),
        ("y",),
        "‖{x} - {weight}‖²",
        {
            "x": "2 Σ {δy} ∘ ({x} - {weight})",
            "weight": "-2 Σ {δy} ∘ ({x} - {weight})",
        },
        r"y_{nk} = \sum_j (x_{nj} - w_{kj})^2",
        {
            "x": r"\delta(x_{nj}) = 2 \sum_k \delta(y_{nk}) (x_{nj} - w_{kj})",
            "weight": r"\nabla w_{kj} = -2 \sum_n \delta(y_{nk}) (x_{nj} - w_{kj})",
        },
    )
    saves = {"x": ("x", "weight"), "weight": ("x", "weight")}

    def check(self, x: Variable, weight: Variable) -> None:
        one_float_type("squared_distances", x, weight)
        if len(x.shape) != 2 or len(weight.shape) != 2 or x.shape[1] != weight.shape[1]:
            raise ShapeError(
                "squared_distances: x is (N, D) and weight (K, D), one code in each row; got x "
                f"{x.shape} and weight {weight.shape}"
            )

    def forward(self, x: Any, weight: Any) -> Any:
        return self.device.dense("squared_distances", x, weight, shape=(len(x), len(weight)))

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_x, want_weight = self.wanted
        x, weight = self.saved("x"), self.saved("weight")
        to_x = to_weight = None
        if want_x:
            to_x = SquaredDistancesGradElement()(signal, x, weight)
        if want_weight:  # a distance has two ends: the same rule, with the other in its place
            to_weight = SquaredDistancesGradElement()(transpose(signal, 0, 1), weight, x)
        return to_x, to_weight

    def multiply_adds(
        self, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> tuple[int, dict[str, int]]:
        work = inputs[0].shape[0] * inputs[1].shape[0] * inputs[1].shape[1]
        return work, {"x": work, "weight": work}


class SquaredDistancesGradElement(ArrayElement, name="squared_distances_grad"):
    """Error signal of one end of the distances."""

    rule = Rule(
        ("δ", "x", "weight"),
        ("y",),
        "2 Σ {δ} ∘ ({x} - {weight})",
        {
            "δ": "2 Σ {δy} ∘ ({x} - {weight})",
            "x": "2 {δy} ∘ Σ {δ}",
            "weight": "-2 {δ}ᵀ·{δy}",
        },
        r"y_{nj} = 2 \sum_k \delta_{nk} (x_{nj} - w_{kj})",
        {
            "δ": r"\delta(\delta_{nk}) = 2 \sum_j \delta(y_{nj}) (x_{nj} - w_{kj})",
            "x": r"\delta(x_{nj}) = 2 \, \delta(y_{nj}) \sum_k \delta_{nk}",
            "weight": r"\nabla w_{kj} = -2 \sum_n \delta_{nk} \, \delta(y_{nj})",
        },
    )
    saves = {"δ": ("x", "weight"), "x": ("δ",), "weight": ("δ",)}

    def forward(self, signal: Any, x: Any, weight: Any) -> Any:
        return self.device.dense("squared_distances_grad", signal, x, weight, shape=x.shape)

    def backward(self, signal: Variable) -> tuple[Variable | None, ...]:
        want_signal, want_x, want_weight = self.wanted
        twice = add(signal, signal)
        to_signal = to_x = to_weight = None
        if want_signal:
            x, weight = self.saved("x"), self.saved("weight")
            along = sum(multiply(twice, x), 1, keepdim=True)
            to_signal = subtract(along, matmul(twice, transpose(weight, 0, 1)))
        if want_x:
            to_x = multiply(twice, sum(self.saved("δ"), 1, keepdim=True))
        if want_weight:
            to_weight = negative(matmul(transpose(self.saved("δ"), 0, 1), twice))
        return to_signal, to_x, to_weight


def squared_distances(x: Any, weight: Any) -> Any:
    """Return the squared distance of each vector to each code: ``y = ‖x - w‖²``.

    Parameters
    ----------
    x : Tensor, shape (N, D)
        A batch of vectors.
    weight : Tensor or ndarray, shape (K, D)
        One code in each row.

    Returns
    -------
    Tensor, shape (N, K)
        ``y[n, k] = Σ_j (x[n, j] - w[k, j])²``; added up from the differences, so that small
        distances keep their digits.

    Raises
    ------
    ShapeError
        If the inputs are not matrices with equally long rows.
    DTypeError
        If the types differ or are not float32 or float64.

    Notes
    -----
    ``δ(x) = 2 Σ_k δ(y_k) (x - w_k)`` and ``∇w_k = -2 Σ_n δ(y_nk) (x_n - w_k)``.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proc. IEEE 86(11), 1998, section II-B, equation 7.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> codes = tg.Tensor([[1.0, 1.0], [-1.0, 1.0]])
    >>> tg.functional.squared_distances(tg.Tensor([[1.0, 0.0]]), codes).tolist()
    [[1.0, 5.0]]
    """
    return SquaredDistancesElement()(x, lifted("squared_distances", x, weight))
