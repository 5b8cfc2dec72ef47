"""The operations on arrays at speed: NumPy for plain arithmetic, Numba for the rest."""
