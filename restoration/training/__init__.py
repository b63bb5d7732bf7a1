"""`restore train`: from a recipe and pictures to a folder of weights."""
