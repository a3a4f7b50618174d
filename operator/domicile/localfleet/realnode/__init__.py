"""One real node in a region: kubelet, containerd, runc and a bridge on this machine, which is put back as it was."""
