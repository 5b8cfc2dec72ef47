"""What compiled code is made of: vectors of this processor's width.

========================  ===================================================================
`vectors`                 how wide they are, and whether it multiplies and adds in one step
`registers`               vector instructions, to write intrinsics with
`simd`                    vectors as values of compiled code
`transpose`               small blocks turned over in registers
`elementary`              exp, log, sigmoid and tanh in float32
`philox`                  random numbers from a key and a counter
========================  ===================================================================
"""
