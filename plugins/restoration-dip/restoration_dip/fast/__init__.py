"""Convolutions, norms, padding and optimisers that make a step of a fit cheap on a processor."""
