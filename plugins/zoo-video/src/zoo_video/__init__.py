"""Videos as pictures, one frame after the other."""
