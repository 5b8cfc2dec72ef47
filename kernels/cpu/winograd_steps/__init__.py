"""The steps of Winograd's convolution of 3x3 filters.

========================  ===================================================================
`matrices`                the three transforms F(m, r) for any points, in exact fractions
`transforms`              … applied to vectors of channels
`product`                 the products between them
`tiles`                   forward: from tiles of the image to tiles of the result
`strips`                  towards the weight: strips of pixels, transformed
`weight_tile`             … and their product, held in registers
`weight_plan`             … cut into tasks
========================  ===================================================================
"""
