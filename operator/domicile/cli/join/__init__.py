"""Registering a regional cluster: what `domicile cluster join` makes on the member and on the hub."""
