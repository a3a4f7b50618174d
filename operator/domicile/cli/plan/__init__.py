"""`domicile plan` and `domicile policy diff`: decide without a hub, or beside one, and write nothing."""
