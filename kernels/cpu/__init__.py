"""The operations on arrays at speed, compiled by Numba; one family after the other.

=============================  ==============================================================
convolution, affine map
`conv`                         the passes of a convolution as correlations
`correlate`                    … driver of every product with fixed weights; `taps` sorts pixels
`spread`                       … towards images of few channels
`weight_gradient`              … summed over pixels; `…_plan` cuts it into tasks
`winograd`                     3x3 filters in a quarter of the multiplications; `…_matrices`,
                               `…_transforms`, `…_product` and `…_tiles` are its steps
`winograd_weight_gradient`     … towards the weight, with `…_plan`, `…_tile`, `winograd_strips`
`depthwise`                    one filter for each channel; `…_weight_gradient`
`im2col`                       windows copied out and handed to BLAS, to compare with
`affine`                       affine maps and matrix products; `affine_rows` of few rows
values by themselves
`arithmetic`                   + − × ÷ and roots; `rectifiers`, `smooth` activations
`elementary`                   exp, log, sigmoid, tanh in float32 as vectors
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
`images`                       pixels to floats, crops and mirror images of a batch
`copies`                       channels joined and cut out, axes exchanged
parameters
`optimiser`                    all parameters of a network in one pass
what these are made of
`vectors`                      how wide the vectors of this processor are
`registers`                    vector instructions, for intrinsics; `simd` as values of code
`tile`                         small matrix products in registers
`packing`, `transpose`         filters in the order that tiles read them
`memory`                       addresses and runs of values
`array_object`                 what an array says of itself, read by compiled code
`loops`, `broadcast`, `rows`   from a loop over values, or rows, to kernels
`tasks`                        one parallel loop for many kernels
=============================  ==============================================================
"""
