"""Weights on the Hugging Face Hub, fetched into its cache on this machine."""

from restoration.hub.repository import NoRepository, Repository, is_repository
from restoration.hub.trouble import Unreachable

__all__ = ["NoRepository", "Repository", "Unreachable", "is_repository"]
