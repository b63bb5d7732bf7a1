"""The fit of an untrained network to one picture: its loss, inputs, settings and early stopping."""
