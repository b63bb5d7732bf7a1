"""The networks of Deep Image Prior, and a ResNet-18 of the same kind."""
