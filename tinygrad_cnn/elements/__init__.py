"""The function elements, one module per family; each with its documented function.

===============  ====================================================================
`arithmetic`     + − × ÷, power, exp, log, sqrt, negation
`reduce`         sum, mean, largest and smallest value, and the broadcasting that undoes them
`shape`          reshape, transpose, index, place, pad, clone
`join`           concatenate, stack, and crossing between scalars and tensors
`affine`         matrix product and affine map
`activation`     sigmoid, tanh, scaled tanh, ReLU, softmax
`conv`           two-dimensional convolution
`pool`           maximum and average pooling
`loss`           cross entropy, mean squared error, squared error
`requirements`   what inputs have to be: types, axes, shapes that broadcast
===============  ====================================================================
"""
