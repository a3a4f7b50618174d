//go:build source

// Pins kube-network-policies, from which the build copies a package (components.py). In a module of its own, so that the
// enforcer is compiled with the versions of ../../kubernetes and not with those that this one asks for.
package source

import _ "sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
