module domicile.dev/localfleet/caller

go 1.26.0
