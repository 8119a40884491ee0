"""The constraints that methods are made of, one file per family.

A loss reads the step's legs and sums over them: CycleGAN's two directions add up, StarGAN's one
mixed leg is the batch's mean.
"""
