"""The version of the toolbox and of all plugins in this repository."""

__version__ = "0.6.0"
