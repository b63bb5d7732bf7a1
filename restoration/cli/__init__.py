"""The command `restore`: one file a command."""
