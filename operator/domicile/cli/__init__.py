"""The command: `domicile`, also as `kubectl domicile`."""
