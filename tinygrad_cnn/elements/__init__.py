"""The function elements, one module per family; each with its documented function.

===============  ====================================================================
`arithmetic`     + − × ÷, negation, and the change of type
`powers`         power, exp, log, sqrt
`absolute`       the absolute value
`reduce`         sum, mean, and the broadcasting that undoes them
`extremes`       largest and smallest value
`variance`       variance and standard deviation
`shape`          reshape, clone, index, place
`transpose`      axes in another order
`pad`            a border of zeros
`join`           concatenate, stack, and crossing between scalars and tensors
`affine`         matrix product and affine map
`activation`     sigmoid, tanh, scaled tanh, hard sigmoid; `…_rectifiers` ReLU, leaky ReLU;
                 `…_smooth` ELU, softplus
`softmax`        softmax and its logarithm
`conv`           two-dimensional convolution
`pool`           poolings; one module each: `pool_max`, `pool_mean`, `pool_power` …
`batch_norm`     batch normalisation; `…_grad` its error signals; `local_response_norm`
`dropout`        values, or channels, set to zero at random
`channelwise`    what elements share that compute along channels
`loss`           what losses share; `…_cross_entropy`, `…_likelihood`, `…_binary`, `…_margin`,
                 `…_rbf`, `…_regression`
`recompute`      a function that is computed again on the way back
`requirements`   what inputs have to be: types, axes, shapes that broadcast
===============  ====================================================================
"""
