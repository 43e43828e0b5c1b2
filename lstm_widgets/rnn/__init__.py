"""The mathematics of recurrent cells, on arrays."""
