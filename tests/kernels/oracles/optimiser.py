"""Updates, from the values before to those after."""

import numpy as np


def _each(arrays, kinds, update):
    """Update each parameter; the result is all parameters, then all averages of each kind."""
    count = len(arrays) // kinds
    after = [update(*arrays[position::count]) for position in range(count)]
    return tuple(array for kind in zip(*after, strict=True) for array in kind)


def sgd_update(rate, momentum, dampening, decay, nesterov, *arrays):
    def update(grad, parameter, *velocity):
        g = grad + decay * parameter
        if not velocity:
            return (parameter - rate * g,)
        v = momentum * velocity[0] + g - dampening * g
        return parameter - rate * (g + momentum * v if nesterov else v), v

    return _each(arrays, 3 if momentum else 2, update)


def adam_update(rate, beta1, beta2, epsilon, decay, decoupled, amsgrad, step, *arrays):
    def update(grad, parameter, mean, square, *largest):
        g = grad if decoupled else grad + decay * parameter
        mean = mean + (1 - beta1) * (g - mean)
        square = square + (1 - beta2) * (g**2 - square)
        largest = [np.maximum(before, square) for before in largest]
        root = np.sqrt([*largest, square][0] / (1 - beta2**step))
        shrunk = parameter - rate * decay * parameter if decoupled else parameter
        moved = shrunk - rate * (mean / (1 - beta1**step)) / (root + epsilon)
        return moved, mean, square, *largest

    return _each(arrays, 5 if amsgrad else 4, update)


def adagrad_update(rate, epsilon, decay, *arrays):
    def update(grad, parameter, total):
        g = grad + decay * parameter
        return parameter - rate * g / (np.sqrt(total + g**2) + epsilon), total + g**2

    return _each(arrays, 3, update)


def adadelta_update(rate, rho, epsilon, decay, *arrays):
    def update(grad, parameter, square, change):
        g = grad + decay * parameter
        square = square + (1 - rho) * (g**2 - square)
        delta = g * np.sqrt((change + epsilon) / (square + epsilon))
        return parameter - rate * delta, square, change + (1 - rho) * (delta**2 - change)

    return _each(arrays, 4, update)


def rmsprop_update(rate, alpha, epsilon, decay, momentum, centered, *arrays):
    def update(grad, parameter, square, *others):
        g = grad + decay * parameter
        variance = square = square + (1 - alpha) * (g**2 - square)
        after = []
        if centered:
            after.append(others[0] + (1 - alpha) * (g - others[0]))
            variance = np.maximum(square - after[0] ** 2, 0)
        step = g / (np.sqrt(variance) + epsilon)
        if momentum:
            step = momentum * others[-1] + step
            after.append(step)
        return parameter - rate * step, square, *after

    return _each(arrays, 3 + bool(centered) + bool(momentum), update)


def average_update(decay, *arrays):
    return _each(arrays, 2, lambda value, average: (average + (1 - decay) * (value - average),))


ORACLES = {
    "sgd_update": sgd_update,
    "adam_update": adam_update,
    "adagrad_update": adagrad_update,
    "adadelta_update": adadelta_update,
    "rmsprop_update": rmsprop_update,
    "average_update": average_update,
}
