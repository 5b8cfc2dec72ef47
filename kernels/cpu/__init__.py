"""The operations on arrays at speed, compiled by Numba.

The modules in this folder hold the kernels, by the names that
:data:`~tinygrad_cnn.kernels.registry.MODULES` and ``kernels/reference/`` have for them; the
folders hold what they are made of.

=============================  ==============================================================
convolution, affine map
`conv`                         the passes of a convolution, on register tiles
`winograd`                     3x3 filters in a quarter of the multiplications
`winograd_weight_gradient`     … towards the weight
`im2col`                       windows copied out and handed to BLAS, to compare with
`affine`                       affine maps and matrix products
values by themselves
`arithmetic`                   + − × ÷ and roots; `rectifiers`, `smooth` activations
`elementwise`                  the same by NumPy, for what does not fit
`residual`                     the sum of two branches, rectified
`dropout`                      masks, and the product with one
rows of a matrix
`softmax`                      softmax and cross entropy; `loss` other losses; `distances`
channels and windows
`batch_norm`                   batch normalisation; `…_passes` over memory
`local_response_norm`          normalisation by neighbouring channels
`pool_places`, `pool_max`      maxima, noted by place or by index; `pool_ties` several winners
`pool_mean`                    means and sums; `pool_power` Lp; `pool_windows` any function
`images`                       pixels to floats, crops, mirror images and holes
`displacements`                images bent by random fields of displacements
`random_words`                 the random numbers of each example
`copies`                       channels joined and cut out, axes exchanged
parameters
`optimiser`                    all parameters of a network in one pass
what these are made of
`products/`                    convolutions and matrix products in register tiles
`winograd_steps/`              transforms and products of Winograd's convolution
`loops/`                       from a loop over values, or rows, to a kernel on all threads
`instructions/`                vectors of this processor's width
=============================  ==============================================================
"""
