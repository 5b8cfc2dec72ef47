"""The function elements, one module per family; each with its documented function.

=====================  ====================================================================
`arithmetic`           + − × ÷, negation, and the change of type
`powers`               power, exp, log, sqrt
`absolute`             the absolute value
`clamp`                values kept between bounds
`reduce`               sum, mean, and the broadcasting that undoes them
`extremes`             largest and smallest value
`variance`             variance and standard deviation
`shape`                reshape, clone
`index`                values picked by a key, and put where it picks
`transpose`            axes in another order
`pad`                  a border of zeros, or of another number
`join`                 concatenate, stack, and crossing between scalars and tensors
`affine`               matrix product and affine map
`activation`           sigmoid, tanh, scaled tanh, hard sigmoid; `…_rectifiers` ReLU, leaky ReLU;
                       `…_smooth` ELU, softplus
`activated`            what elements share that apply an activation to what they compute
`softmax`              softmax and its logarithm
`window`               options of sliding windows: stride, padding, dilation, groups
`conv_trio`            a convolution and its two adjoints, whatever the number of dimensions
`conv`                 … of images; `conv1d` of rows; `conv_transpose` the adjoint by itself
`pool`                 what poolings share; `…_max` maximum and unpooling, `…_ties` several
                       winners, `…_mean` average and sum, `…_adaptive` over a grid, `…_power`
                       Lp, `…_windows` any function of a window; `pool1d` of rows
`channelwise`          what elements share that compute along channels
`batch_norm`           batch normalisation; `…_grad` its error signals
`local_response_norm`  normalisation by neighbouring channels
`dropout`              values, or channels, set to zero at random
`distances`            squared distances between vectors and codes
`loss`                 what losses share; `…_regression` squared and absolute error,
                       `…_cross_entropy`, `…_likelihood`, `…_binary`, `…_margin`, `…_rbf`
`recompute`            a function that is computed again on the way back
`requirements`         what inputs and options have to be: types, axes, shapes, numbers
=====================  ====================================================================
"""
