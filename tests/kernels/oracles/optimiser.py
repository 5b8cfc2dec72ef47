"""Updates, from the values before to those after."""

import numpy as np


def sgd_update(grad, rate, momentum, decay, nesterov, parameter, velocity):
    g = grad + decay * parameter
    velocity = momentum * velocity + g
    return parameter - rate * (g + momentum * velocity if nesterov else velocity), velocity


def adam_update(grad, rate, beta1, beta2, epsilon, decay, step, parameter, mean, square):
    g = grad + decay * parameter
    mean = mean + (1 - beta1) * (g - mean)
    square = square + (1 - beta2) * (g**2 - square)
    unbiased = mean / (1 - beta1**step), square / (1 - beta2**step)
    return parameter - rate * unbiased[0] / (np.sqrt(unbiased[1]) + epsilon), mean, square


ORACLES = {
    "sgd_update": sgd_update,
    "adam_update": adam_update,
}
