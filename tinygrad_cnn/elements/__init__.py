"""The function elements, one module per family; each with its documented function.

===============  ====================================================================
`arithmetic`     + − × ÷, negation, and the change of type
`powers`         power, exp, log, sqrt
`reduce`         sum, mean, and the broadcasting that undoes them
`extremes`       largest and smallest value
`shape`          reshape, clone, index, place
`transpose`      axes in another order
`pad`            a border of zeros
`join`           concatenate, stack, and crossing between scalars and tensors
`affine`         matrix product and affine map
`activation`     sigmoid, tanh, scaled tanh, ReLU
`softmax`        softmax and its logarithm
`conv`           two-dimensional convolution
`pool`           maximum and average pooling
`loss`           cross entropy, mean squared error, squared error
`requirements`   what inputs have to be: types, axes, shapes that broadcast
===============  ====================================================================
"""
