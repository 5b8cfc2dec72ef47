"""Normalisation and dropout, by NumPy's own means, variances and convolutions."""

import numpy as np


def rows(x):
    return x.reshape(-1, x.shape[-1])


def batch_norm_statistics(x, mean, variance):
    return rows(x).mean(0), rows(x).var(0)


def batch_norm_forward(x, mean, variance, weight, bias, eps, out):
    result = (x - mean) / np.sqrt(variance + eps)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def batch_norm_grad_sums(grad, x, mean, variance, eps, grad_weight, grad_bias):
    normalised = batch_norm_forward(x, mean, variance, None, None, eps, None)
    return rows(grad * normalised).sum(0), rows(grad).sum(0)


def batch_norm_grad_input(grad, x, mean, variance, weight, to_weight, to_bias, eps, out):
    normalised = batch_norm_forward(x, mean, variance, None, None, eps, None)
    count = max(1, len(rows(x)))
    inner = grad - (to_bias + normalised * to_weight) / count
    scale = 1 / np.sqrt(variance + eps)
    return inner * (scale if weight is None else scale * weight)


def batch_norm_relu_forward(*arguments):
    return rectified(batch_norm_forward(*arguments))


def batch_norm_relu_grad_sums(grad, a, *rest):
    return batch_norm_grad_sums(np.where(a <= 0, 0.0, grad), *rest)


def batch_norm_relu_grad_input(grad, a, *rest):
    return batch_norm_grad_input(np.where(a <= 0, 0.0, grad), *rest)


def rectified(x):
    return x / 2 + np.abs(x / 2)


def add_relu(x, y, out):
    return rectified(x + y)


def _window(x, before, behind):
    """Add up the channels from c - before to c + behind."""
    wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, behind)])
    views = np.lib.stride_tricks.sliding_window_view(wide, before + behind + 1, axis=-1)
    return views.sum(-1)


def _divisor(x, size, alpha, k):
    return k + alpha / size * _window(x**2, size // 2, (size - 1) // 2)


def local_response_norm_forward(x, size, alpha, beta, k, out):
    return x / _divisor(x, size, alpha, k) ** beta


def local_response_norm_grad(grad, x, size, alpha, beta, k, out):
    divisor = _divisor(x, size, alpha, k)
    spread = _window(grad * x / divisor ** (beta + 1), (size - 1) // 2, size // 2)
    return grad / divisor**beta - 2 * alpha * beta / size * x * spread


def dropout(x, mask, scale, out):
    return x * np.where(mask, scale, 0.0)


def dropout_mask(key, threshold, out):
    words = np.zeros((4, -(-out.size // 256) * 64), np.uint64)
    words[0] = np.arange(words.shape[1])
    places = philox(words, key).reshape(4, -1, 64).transpose(1, 0, 2).reshape(-1)
    return (places < threshold).astype(bool)[: out.size].reshape(out.shape)


def philox(words, key):
    """Philox 4x32 with seven rounds as a table of the halves of products, all places at once."""
    half, factors = np.uint64(2**32), np.array([[0xCD9E8D57], [0xD2511F53]], np.uint64)
    for turn in range(7):
        low = np.uint64((key % 2**32 + turn * 0x9E3779B9) % 2**32)
        high = np.uint64((key // 2**32 + turn * 0xBB67AE85) % 2**32)
        upper, lower = np.divmod(words[[2, 0]] * factors, half)
        words = np.stack(
            [upper[0] ^ words[1] ^ low, lower[0], upper[1] ^ words[3] ^ high, lower[1]]
        )
    return words


ORACLES = {
    "batch_norm_statistics": batch_norm_statistics,
    "batch_norm_forward": batch_norm_forward,
    "batch_norm_grad_sums": batch_norm_grad_sums,
    "batch_norm_grad_input": batch_norm_grad_input,
    "batch_norm_relu_forward": batch_norm_relu_forward,
    "batch_norm_relu_grad_sums": batch_norm_relu_grad_sums,
    "batch_norm_relu_grad_input": batch_norm_relu_grad_input,
    "add_relu": add_relu,
    "local_response_norm_forward": local_response_norm_forward,
    "local_response_norm_grad": local_response_norm_grad,
    "dropout": dropout,
    "dropout_mask": dropout_mask,
}
