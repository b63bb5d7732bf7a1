"""Who brings what: cards, the hooks that plugins answer, and the plugins that were found. No torch here."""

from restoration.registry.distributions import advice
from restoration.registry.plugins import C, Plugin, Registry, hook, registry

__all__ = ["C", "Plugin", "Registry", "advice", "hook", "registry"]
