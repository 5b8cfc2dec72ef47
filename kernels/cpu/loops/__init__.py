"""From a loop over values, or rows, to a kernel: arrays read, shared out, walked through.

========================  ===================================================================
`values`                  a kernel for each type from one loop over values
`broadcast`               … where operands have other shapes than the result
`rows`                    the same for loops over the rows of a matrix
`tasks`                   the one parallel loop that all share
`array_object`            what an array says of itself, read by compiled code
`memory`                  addresses and runs of values
========================  ===================================================================
"""
