"""The constraints that methods are made of, one file per family.

A loss reads the step's routes and sums over them: CycleGAN's two directions add up, StarGAN's one
mixed route is the batch's mean.
"""
