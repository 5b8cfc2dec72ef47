"""Updates, from the values before to those after."""

import numpy as np


def _each(arrays, kinds, update):
    """Update each parameter; the result is all parameters, then all averages of each kind."""
    count = len(arrays) // kinds
    after = [update(*arrays[position::count]) for position in range(count)]
    return tuple(array for kind in zip(*after, strict=True) for array in kind)


def sgd_update(rate, momentum, decay, nesterov, *arrays):
    def update(grad, parameter, velocity):
        g = grad + decay * parameter
        velocity = momentum * velocity + g
        return parameter - rate * (g + momentum * velocity if nesterov else velocity), velocity

    return _each(arrays, 3, update)


def adam_update(rate, beta1, beta2, epsilon, decay, step, *arrays):
    def update(grad, parameter, mean, square):
        g = grad + decay * parameter
        mean = mean + (1 - beta1) * (g - mean)
        square = square + (1 - beta2) * (g**2 - square)
        unbiased = mean / (1 - beta1**step), square / (1 - beta2**step)
        return parameter - rate * unbiased[0] / (np.sqrt(unbiased[1]) + epsilon), mean, square

    return _each(arrays, 4, update)


ORACLES = {
    "sgd_update": sgd_update,
    "adam_update": adam_update,
}
