//go:build source

// For `go mod tidy` alone: the build copies that package to ./networkpolicy, with one change (components.py).
package main

import _ "sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
