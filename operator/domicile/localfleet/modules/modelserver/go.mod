module domicile.dev/localfleet/modelserver

go 1.26.0
