"""The command `restore tune`: a search for the options of a training that do best."""

from restoration_tune.registration import register_commands as register_commands
