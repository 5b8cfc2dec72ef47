"""The operations on Python floats: plain functions that return their result."""
