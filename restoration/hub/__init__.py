"""Weights on the Hugging Face Hub: fetched into its cache on this machine, published, found, and held to terms."""

from restoration.hub.pulling import look, pull
from restoration.hub.repository import NoRepository, Repository, is_repository
from restoration.hub.terms import current_terms, under_terms
from restoration.hub.trouble import Unreachable

__all__ = [
    "NoRepository",
    "Repository",
    "Unreachable",
    "current_terms",
    "is_repository",
    "look",
    "pull",
    "under_terms",
]
