"""Who brings what: cards, the hooks that plugins answer, and the plugins that were found. No torch here."""

from restoration.registry.calls import ask, tell
from restoration.registry.discovery import Plugin
from restoration.registry.plugins import C, Registry, registry

__all__ = ["C", "Plugin", "Registry", "ask", "registry", "tell"]
