"""Convolutions and matrix products, computed in register tiles.

========================  ===================================================================
`correlate`               the driver of every product with fixed weights
`taps`                    … which pixels a filter reads where: padding is left out
`pixel_lanes`             one channel, few filters: vectors of pixels
`spread`                  … towards images of few channels
`weight_gradient`         products summed over pixels; `…_plan` cuts them into tasks
`depthwise`               one filter for each channel; `…_weight_gradient`
`affine_rows`             matrices of few rows
`tile`                    the small product that is held in registers
`packing`                 filters in the order that tiles read them
========================  ===================================================================
"""
