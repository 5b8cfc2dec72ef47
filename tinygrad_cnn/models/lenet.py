"""LeNet-5, in the form that is taught today and in the form of 1998.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 86(11), 1998, section II-B and figure 2.

=======  ===================  ==========  ================  ================
layer    what                 output      parameters today  parameters 1998
=======  ===================  ==========  ================  ================
C1       6 filters 5x5        28x28x6     156               156
S2       2x2 subsampling      14x14x6     0                 12
C3       16 filters 5x5       10x10x16    2,416             1,516 (table I)
S4       2x2 subsampling      5x5x16      0                 32
C5       fully connected      120         48,120            48,120
F6       fully connected      84          10,164            10,164
output   one for each class   10          850 (affine)      0 (RBF)
total                                     61,706            60,000
=======  ===================  ==========  ================  ================

The 840 numbers of the paper's output layer are codes that nobody trains; with an affine layer in
its place the form of 1998 has 60,850 parameters.
"""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.building import one_of
from tinygrad_cnn.models.registry import Network, register
from tinygrad_cnn.nn import Module, init
from tinygrad_cnn.tensor import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "relu": F.relu,
}
POOLS: dict[str, type[nn.AvgPool2d] | type[nn.MaxPool2d]] = {
    "average": nn.AvgPool2d,
    "max": nn.MaxPool2d,
}

# Table I of the paper: the maps of S2 that each map of C3 is connected to.
C3_CONNECTIONS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class LeNet5(Module):
    """LeNet-5 as it is taught: plain convolutions and pooling, activations in between.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    activation : {"sigmoid", "tanh", "relu"}
        After C1, C3, C5 and F6.
    pool : {"average", "max"}
        S2 and S4.
    sigmoid_after : {"all", "conv"}
        With "conv" only C1 and C3 are followed by an activation; C5, F6 and the output
        layer then compose to one linear map.
    """

    def __init__(
        self,
        num_classes: int = 10,
        activation: str = "sigmoid",
        pool: str = "average",
        sigmoid_after: str = "all",
    ) -> None:
        super().__init__()
        self.squash = ACTIVATIONS[one_of("lenet5", "activation", activation, ACTIVATIONS)]
        shrink = POOLS[one_of("lenet5", "pool", pool, POOLS)]
        one_of("lenet5", "sigmoid_after", sigmoid_after, ("all", "conv"))
        self.squash_features = sigmoid_after == "all"
        self.C1 = nn.Conv2d(1, 6, 5)
        self.S2 = shrink(2)
        self.C3 = nn.Conv2d(6, 16, 5)
        self.S4 = shrink(2)
        self.C5 = nn.Linear(16 * 5 * 5, 120)
        self.F6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        self._draw_weights(activation)

    def _draw_weights(self, activation: str) -> None:
        """Draw Xavier weights (He weights before rectifiers) and set biases to zero.

        The logistic sigmoid has slope 1/4 at 0, which a gain of 4 makes up for.
        """
        gain = 4.0 if activation == "sigmoid" else 1.0
        for layer in (self.C1, self.C3, self.C5, self.F6, self.output):
            if activation == "relu":
                init.kaiming_normal_(layer.weight)
            else:
                squashed = layer is not self.output and (
                    self.squash_features or isinstance(layer, nn.Conv2d)
                )
                init.xavier_uniform_(layer.weight, gain if squashed else 1.0)
            if layer.bias is not None:
                init.zeros_(layer.bias)

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:  # type: ignore[override]
        """Each layer with the activation behind it."""
        squashed = ("C1", "C3", "C5", "F6") if self.squash_features else ("C1", "C3")
        return tuple((layer, "squash") for layer in squashed)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 1, 32, 32) to scores (N, num_classes)."""
        x = self.S2(self.squash(self.C1(x)))  # (N, 6, 14, 14)
        x = self.S4(self.squash(self.C3(x)))  # (N, 16, 5, 5)
        x = F.flatten(x, 1)  # (N, 400)
        x = self.C5(x)  # (N, 120)
        x = self.F6(self.squash(x) if self.squash_features else x)  # (N, 84)
        return self.output(self.squash(x) if self.squash_features else x)  # (N, num_classes)


class LeNet5Original(Module):
    """LeNet-5 of 1998.

    C3 sees only the maps of S2 that table I names, subsampling has a trainable coefficient
    and bias, and every layer up to F6 is squashed by 1.7159 tanh(2/3 z). The output layer
    compares F6 with a picture of each digit. Weights start as the paper's appendix A says:
    U(-2.4 / fan-in, 2.4 / fan-in).

    Parameters
    ----------
    num_classes : int
        Number of outputs. Only ten classes have pictures; codes for other numbers are drawn.
    output : {"rbf", "linear"}
        :class:`~tinygrad_cnn.nn.RBFOutput` as in the paper, or an affine layer.

    Raises
    ------
    OptionError
        If there is no such output layer.

    Examples
    --------
    >>> LeNet5Original().count_parameters()
    60000
    """

    def __init__(self, num_classes: int = 10, output: str = "rbf") -> None:
        super().__init__()
        one_of("lenet5_original", "output", output, ("rbf", "linear"))
        self.C1 = nn.Conv2d(1, 6, 5)
        self.S2 = nn.Subsampling2d(6, 2)
        self.C3 = nn.TableConv2d(C3_CONNECTIONS, 6, 5)
        self.S4 = nn.Subsampling2d(16, 2)
        self.C5 = nn.Linear(16 * 5 * 5, 120)
        self.F6 = nn.Linear(120, 84)
        self.output: Module = (
            nn.RBFOutput(84, num_classes) if output == "rbf" else nn.Linear(84, num_classes)
        )
        self._draw_weights()

    def _draw_weights(self) -> None:
        affine = (self.output,) if isinstance(self.output, nn.Linear) else ()
        for layer in (self.C1, self.C5, self.F6, *affine, self.S2, self.S4):
            for parameter in layer.parameters():
                init.lecun_uniform_(parameter, layer.fan_in)
        init.lecun_uniform_(self.C3.weight, self.C3.filter_fan_in)
        init.lecun_uniform_(self.C3.bias, self.C3.fan_in)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 1, 32, 32) to scores (N, num_classes)."""
        x = F.scaled_tanh(self.S2(F.scaled_tanh(self.C1(x))))  # (N, 6, 14, 14)
        x = F.scaled_tanh(self.S4(F.scaled_tanh(self.C3(x))))  # (N, 16, 5, 5)
        x = F.scaled_tanh(self.C5(F.flatten(x, 1)))  # (N, 120)
        return self.output(F.scaled_tanh(self.F6(x)))  # (N, num_classes)


def lenet5(
    num_classes: int = 10,
    variant: str = "taught",
    activation: str | None = None,
    pool: str | None = None,
    sigmoid_after: str | None = None,
) -> Module:
    """Build LeNet-5 in one of its two forms.

    Parameters
    ----------
    num_classes : int
        Number of outputs.
    variant : {"taught", "original"}
        :class:`LeNet5`, or :class:`LeNet5Original` of 1998 with an affine output layer.
    activation, pool, sigmoid_after : str, optional
        Of the taught form; see :class:`LeNet5`.

    Returns
    -------
    Module
        Maps images (N, 1, 32, 32) to scores (N, num_classes).

    Raises
    ------
    OptionError
        If an option has an unknown value, or does not go with the variant of 1998.

    Examples
    --------
    >>> lenet5().count_parameters(), lenet5(variant="original").count_parameters()
    (61706, 60850)
    """
    one_of("lenet5", "variant", variant, ("taught", "original"))
    given = {"activation": activation, "pool": pool, "sigmoid_after": sigmoid_after}
    chosen = {option: value for option, value in given.items() if value is not None}
    if variant == "taught":
        return LeNet5(num_classes, **chosen)
    if chosen:
        raise OptionError(
            "lenet5: variant 'original' fixes activation, pooling and where they stand; got "
            f"{', '.join(f'{option}={value}' for option, value in chosen.items())}"
        )
    return LeNet5Original(num_classes, output="linear")


PAPER = "LeCun et al., Proc. IEEE 86(11), 1998"

for _name, _builder, _loss in (
    ("lenet5", lenet5, F.cross_entropy),
    ("lenet5_original", LeNet5Original, F.rbf_loss),
):
    register(
        Network(
            _name,
            _builder,
            PAPER,
            input_shape=(1, 32, 32),
            num_classes=10,
            twin_input=(1, 32, 32),
            loss=_loss,
        )
    )
