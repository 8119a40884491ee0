"""Data sources of pictures: attribute lists and data sets."""
