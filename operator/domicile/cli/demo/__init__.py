"""`domicile demo`: the main job on real clusters, as a story whose every step is checked."""
