"""The faults that there are: each a mistake that people make in the chain rule."""

from tinygrad_cnn import nn
from tinygrad_cnn.elements import (
    activation,
    affine,
    batch_norm,
    conv_trio,
    dropout,
    loss_cross_entropy,
    loss_likelihood,
    loss_regression,
    pool_adaptive,
    pool_max,
    pool_mean,
    softmax,
)
from tinygrad_cnn.explain.faults import wrong_rules as rules
from tinygrad_cnn.explain.faults import wrong_steps as steps
from tinygrad_cnn.explain.faults.fault import Exchange, Fault
from tinygrad_cnn.optim import SGD
from tinygrad_cnn.optim.optimiser import Optimiser
from tinygrad_cnn.walk import Walk

_CONVOLUTIONS = ("conv2d", "conv1d")
_MEANS = ("avg_pool2d", "adaptive_avg_pool2d", "global_avg_pool2d")
_SLOPE = activation.ActivationGradientElement
_MEAN_LOSSES = ("cross_entropy", "nll_loss", "mse_loss", "squared_error")


def _of_means(wrong: object) -> tuple[Exchange, ...]:
    owners = (
        pool_mean._SpanElement,
        pool_adaptive.AdaptiveAvgPool2dElement,
        pool_adaptive.GlobalAvgPool2dElement,
    )
    return tuple(Exchange(owner, "backward", wrong) for owner in owners)  # type: ignore[arg-type]


def _of_rectifiers(wrong: object) -> tuple[Exchange, ...]:
    return (
        Exchange(_SLOPE, "forward", wrong),  # type: ignore[arg-type]
        Exchange(batch_norm.BatchNormReluElement, "backward", rules.through_both),
    )


def _of_normalisations(wrong: object) -> tuple[Exchange, ...]:
    owners = batch_norm.BatchNormElement, batch_norm.BatchNormReluElement
    return tuple(Exchange(owner, "backward", wrong) for owner in owners)  # type: ignore[arg-type]


_ALL = (
    Fault(
        "kernel_not_turned",
        "rule",
        "The error signal is sent back by correlation with the filter, which is not turned by "
        "180°.",
        "δ(x) by the same routine as forward, with the kernel as it is: rot180 was forgotten.",
        "δ(x) = δ(z) * w",
        "δ(x) = δ(z) ⋆ w, which is δ(z) * rot180(w)",
        _CONVOLUTIONS,
        (Exchange(conv_trio.ConvElement, "grad_input", rules.unturned_kernel),),
        "kernels of one pixel; filters that are their own half-turn",
    ),
    Fault(
        "weight_gradient_turned",
        "rule",
        "The gradient of a filter comes out turned by 180°.",
        "∇w by a library's true convolution where a correlation belongs, or one flip too many.",
        "∇w = Σ x ⋆ δ(z)",
        "∇w = rot180(Σ x ⋆ δ(z))",
        _CONVOLUTIONS,
        (Exchange(conv_trio.ConvElement, "grad_weight", rules.turned_weight_gradient),),
        "kernels of one pixel",
    ),
    Fault(
        "padding_off_by_one_in_delta",
        "rule",
        "The padding is cut off δ(x) one pixel too early: all of it stands one down and right.",
        "A crop [p-1:p-1+H] of the padded error signal, or 'full' where 'same' was meant.",
        "δ(x)[r, q] = Σ δ(z)[i, j] w[r + p - i s, q + p - j s]",
        "δ(x)[r, q] = Σ δ(z)[i, j] w[r - 1 + p - i s, q - 1 + p - j s]",
        _CONVOLUTIONS,
        (Exchange(conv_trio.ConvElement, "grad_input", rules.moved_grad_input),),
    ),
    Fault(
        "padding_off_by_one_in_weight_gradient",
        "rule",
        "The gradient of the filters reads the image one pixel off.",
        "∇w from an image that was padded by p + 1, or cropped from the wrong corner.",
        "∇w[u, v] = Σ δ(z)[i, j] x[i s + u - p, j s + v - p]",
        "∇w[u, v] = Σ δ(z)[i, j] x[i s + u - p - 1, j s + v - p - 1]",
        _CONVOLUTIONS,
        (Exchange(conv_trio.ConvElement, "grad_weight", rules.moved_grad_weight),),
    ),
    Fault(
        "stride_forgotten_in_delta",
        "rule",
        "The error signals are not spread apart by the stride before they are sent back.",
        "δ(x) by the routine for stride 1; zeros between the error signals were forgotten.",
        "δ(x)[r, q] = Σ δ(z)[i, j] w[r + p - i s, q + p - j s]",
        "δ(x)[r, q] = Σ δ(z)[i, j] w[r + p - i, q + p - j]",
        _CONVOLUTIONS,
        (Exchange(conv_trio.ConvElement, "grad_input", rules.packed_grad_input),),
        "stride 1; outputs of one place without padding",
    ),
    Fault(
        "weight_gradient_transposed",
        "rule",
        "The gradient of W is that of Wᵀ, its numbers put into the shape of W.",
        "x.T @ delta and a reshape, where delta.T @ x was due.",
        "∇W = Σ δ(z)·xᵀ",
        "∇W = reshape(Σ x·δ(z)ᵀ)",
        ("affine",),
        (Exchange(affine.AffineGradWeightElement, "forward", rules.transposed_weight_gradient),),
        "one input or one output",
    ),
    Fault(
        "weight_not_transposed",
        "rule",
        "The error signal goes back through W, reshaped, where it goes through Wᵀ.",
        "W.reshape(...) to make the shapes fit, where W.T was meant.",
        "δ(x) = Wᵀ·δ(z)",
        "δ(x) = reshape(W)·δ(z)",
        ("affine",),
        (Exchange(affine.AffineGradInputElement, "forward", rules.untransposed_weight),),
        "one input or one output",
    ),
    Fault(
        "bias_gradient_of_one_place",
        "rule",
        "The gradient of a bias is the error signal of the first image at its first place.",
        "delta[0] for the bias: the sum over the batch, and over places, was forgotten.",
        "∇b = Σ δ(z), over images and places",
        "∇b = δ(z) of the first",
        ("affine", *_CONVOLUTIONS),
        (
            Exchange(conv_trio.SlidingElement, "backward", rules.bias_of_one_place),
            Exchange(affine.AffineElement, "backward", rules.bias_of_one_place),
        ),
        "one image with one place",
    ),
    Fault(
        "bias_gradient_averaged",
        "rule",
        "The gradient of a bias is the mean of the error signals, where it is their sum.",
        "delta.mean(...) for the bias: as if the loss had not divided by the batch already.",
        "∇b = Σ δ(z), over images and places",
        "∇b = mean δ(z)",
        ("affine", *_CONVOLUTIONS),
        (
            Exchange(conv_trio.SlidingElement, "backward", rules.averaged_bias),
            Exchange(affine.AffineElement, "backward", rules.averaged_bias),
        ),
        "one image with one place",
    ),
    Fault(
        "max_to_first_place",
        "rule",
        "The error signal of a maximum goes to the first pixel of its window, whoever won.",
        "Upsampling with zeros; the places of the winners were not kept.",
        "δ(x)[k] = δ(y) where k won, 0 elsewhere",
        "δ(x)[k] = δ(y) where k is the first of its window",
        ("max_pool2d",),
        (Exchange(pool_max.MaxPool2dElement, "backward", rules.max_to_first_place),),
    ),
    Fault(
        "max_to_all_places",
        "rule",
        "The error signal of a maximum goes to every pixel of its window.",
        "np.kron(delta, ones): upsampling as for a mean, without a mask.",
        "δ(x)[k] = δ(y) where k won, 0 elsewhere",
        "δ(x)[k] = δ(y) for all k of the window",
        ("max_pool2d",),
        (Exchange(pool_max.MaxPool2dElement, "backward", rules.max_to_all_places),),
        "dilated windows, where it is not switched on",
    ),
    Fault(
        "mean_without_share",
        "rule",
        "Every pixel of a mean gets the whole error signal of its window, where 1/m is due.",
        "np.kron(delta, ones) without / scale**2: the 1/m of the mean was forgotten.",
        "δ(x)[k] = δ(y) / m",
        "δ(x)[k] = δ(y)",
        _MEANS,
        _of_means(rules.mean_without_share),
    ),
    Fault(
        "mean_to_first_place",
        "rule",
        "The error signal of a mean goes to the first pixel of its window alone.",
        "delta put into x[::s, ::s]: sub-sampling undone as if it had only picked a pixel.",
        "δ(x)[k] = δ(y) / m for all k of the window",
        "δ(x)[k] = δ(y) where k is the first of its window",
        _MEANS,
        _of_means(rules.mean_to_first_place),
    ),
    Fault(
        "sigmoid_slope_of_z",
        "rule",
        "The slope of the sigmoid is taken from z by the formula that is meant for a.",
        "def dsigmoid(x): return x * (1 - x), called with z.",
        "δ(z) = δ(a) ∘ a (1 - a)",
        "δ(z) = δ(a) ∘ z (1 - z)",
        ("sigmoid",),
        (Exchange(_SLOPE, "forward", rules.sigmoid_slope_of_z),),
    ),
    Fault(
        "tanh_slope_of_z",
        "rule",
        "The slope of tanh is taken from z by the formula that is meant for a.",
        "def dtanh(x): return 1 - x**2, called with z.",
        "δ(z) = δ(a) ∘ (1 - a²)",
        "δ(z) = δ(a) ∘ (1 - z²)",
        ("tanh",),
        (Exchange(_SLOPE, "forward", rules.tanh_slope_of_z),),
        "z near 0, where a ≈ z",
    ),
    Fault(
        "relu_mask_of_signal",
        "rule",
        "A rectifier lets error signals through that are positive themselves, whatever z was.",
        "delta[delta < 0] = 0, where delta[z <= 0] = 0 was meant.",
        "δ(z) = δ(a) ∘ [z > 0]",
        "δ(z) = δ(a) ∘ [δ(a) > 0]",
        ("relu",),
        _of_rectifiers(rules.relu_mask_of_signal),
    ),
    Fault(
        "relu_mask_moved",
        "rule",
        "A rectifier uses the mask of the neighbour to the left.",
        "An index off by one in a loop over units.",
        "δ(z)[k] = δ(a)[k] [z[k] > 0]",
        "δ(z)[k] = δ(a)[k] [z[k - 1] > 0]",
        ("relu",),
        _of_rectifiers(rules.relu_mask_moved),
    ),
    Fault(
        "relu_mask_left_out",
        "rule",
        "A rectifier sends every error signal back, as if it were not there.",
        "Forward has the activation, backward has no line for it.",
        "δ(z) = δ(a) ∘ [z > 0]",
        "δ(z) = δ(a)",
        ("relu",),
        _of_rectifiers(rules.relu_mask_left_out),
    ),
    Fault(
        "softmax_without_cross_terms",
        "rule",
        "Each probability is differentiated after its own score alone.",
        "y * (1 - y), as for a sigmoid: the other scores move y too.",
        "δ(x) = y ∘ (δ(y) - Σ δ(y) ∘ y)",
        "δ(x) = y ∘ (1 - y) ∘ δ(y)",
        ("softmax",),
        (Exchange(softmax.SoftmaxElement, "backward", rules.softmax_without_cross_terms),),
    ),
    Fault(
        "batch_share_left_out",
        "rule",
        "The error signal of a mean loss lacks its 1/N: the step grows with the batch.",
        "p - t at the output, though the loss that is printed is a mean over the batch.",
        "δ(x) = (softmax(x) - onehot) / N",
        "δ(x) = softmax(x) - onehot",
        _MEAN_LOSSES,
        (
            Exchange(loss_likelihood.LikelihoodElement, "each", rules.without_share),
            Exchange(
                loss_regression.MeanSquaredErrorElement, "to_prediction", rules.pairs_without_share
            ),
            Exchange(
                loss_regression.SquaredErrorElement, "to_prediction", rules.pairs_without_share
            ),
        ),
        "batches of one; losses that add up",
    ),
    Fault(
        "loss_sign_turned",
        "rule",
        "The error signal at the output has the other sign: every step makes the loss larger.",
        "target - prediction, with an update that subtracts.",
        "δ(x) = softmax(x) - onehot",
        "δ(x) = onehot - softmax(x)",
        _MEAN_LOSSES,
        (
            Exchange(loss_cross_entropy.CrossEntropyElement, "backward", rules.turned_sign),
            Exchange(loss_likelihood.NLLLossElement, "backward", rules.turned_sign),
            Exchange(loss_regression.MeanSquaredErrorElement, "to_prediction", rules.turned_sign),
            Exchange(loss_regression.SquaredErrorElement, "to_prediction", rules.turned_sign),
        ),
    ),
    Fault(
        "batch_norm_constant_statistics",
        "rule",
        "Batch normalisation takes mean and variance for constants.",
        "gamma / sqrt(var + eps) * delta: the rule of evaluation, used in training.",
        "δ(x) = γ/σ (δ(y) - mean δ(y) - x̂ mean(δ(y) ∘ x̂))",
        "δ(x) = γ/σ δ(y)",
        ("batch_norm",),
        _of_normalisations(rules.constant_statistics),
    ),
    Fault(
        "batch_norm_constant_variance",
        "rule",
        "Batch normalisation takes the variance for a constant.",
        "The path through the variance was left out; that through the mean is there.",
        "δ(x) = γ/σ (δ(y) - mean δ(y) - x̂ mean(δ(y) ∘ x̂))",
        "δ(x) = γ/σ (δ(y) - mean δ(y))",
        ("batch_norm",),
        _of_normalisations(rules.constant_variance),
    ),
    Fault(
        "dropout_mask_redrawn",
        "rule",
        "Dropout draws another mask in the walk back.",
        "The mask is made in a routine that forward and backward both call.",
        "δ(x) = δ(y) ∘ M / (1 - p), with the M of forward",
        "δ(x) = δ(y) ∘ M' / (1 - p), with another M'",
        ("dropout",),
        (Exchange(dropout.DropoutElement, "backward", rules.redrawn_mask),),
    ),
    Fault(
        "dropout_without_scale",
        "rule",
        "Dropout does not scale the error signals as it scaled the values.",
        "delta * mask, where the values were mask * x / (1 - p).",
        "δ(x) = δ(y) ∘ M / (1 - p)",
        "δ(x) = δ(y) ∘ M",
        ("dropout",),
        (Exchange(dropout.DropoutElement, "backward", rules.unscaled_mask),),
    ),
    Fault(
        "fan_in_overwritten",
        "sum",
        "Of the error signals that reach one value by several paths the last one is kept.",
        "node.grad = delta, where node.grad += delta was meant.",
        "δ(x) = Σ over all that read x",
        "δ(x) = what came last",
        ("values that are read several times",),
        (Exchange(Walk, "_add", steps.overwritten),),
        "networks without shortcuts or shared weights",
    ),
    Fault(
        "zero_grad_left_out",
        "step",
        "Gradients of earlier steps stay and are added to.",
        "optimizer.zero_grad() was forgotten.",
        "θ ← θ - α ∇J(θ)",
        "θ ← θ - α Σ over all steps so far of ∇J",
        ("zero_grad",),
        (
            Exchange(Optimiser, "zero_grad", steps.kept_gradients),
            Exchange(nn.Module, "zero_grad", steps.kept_gradients),
        ),
    ),
    Fault(
        "momentum_sign_turned",
        "step",
        "Momentum pushes back, where it is to carry on.",
        "v = -mu * v + g.",
        "v ← μ v + g",
        "v ← -μ v + g",
        ("SGD with momentum",),
        (Exchange(SGD, "_update", steps.turned_momentum),),
        "SGD without momentum; other optimisers",
    ),
    Fault(
        "weight_decay_sign_turned",
        "step",
        "Weight decay lets the weights grow.",
        "g - lambda * theta, in an update that subtracts g.",
        "g = ∇J + λ θ",
        "g = ∇J - λ θ",
        ("SGD with weight decay",),
        (Exchange(SGD, "_update", steps.turned_weight_decay),),
        "SGD without weight decay; other optimisers",
    ),
    Fault(
        "step_uphill",
        "step",
        "The update adds the gradient: the loss is climbed.",
        "w += lr * grad.",
        "θ ← θ - α v",
        "θ ← θ + α v",
        ("SGD",),
        (Exchange(SGD, "_update", steps.ascent),),
        "other optimisers",
    ),
)

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}
