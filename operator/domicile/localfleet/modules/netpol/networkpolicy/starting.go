// Package networkpolicy is that of kube-network-policies, copied here when it is built; this file is ours.
package networkpolicy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/containerd/nri/pkg/stub"
	"k8s.io/klog/v2"
)

const retryAfter = 100 * time.Millisecond

// HearOfStartingPods has the container runtime tell of each pod's address before a container of that pod runs; the API
// server tells it only afterwards. It is for controllers with NRIdisabled, which without it fail at the first address
// that is no pod's. Upstream connects once, to a fixed socket; this does so until the context ends, also to a runtime that
// is not up yet or was restarted. The answer says whether it is connected.
func (c *Controller) HearOfStartingPods(ctx context.Context, socket string) *atomic.Bool {
	var connected atomic.Bool
	c.nriPlugin = &nriPlugin{podIPMap: map[string]string{}}
	go func() {
		for ; ctx.Err() == nil; time.Sleep(retryAfter) {
			plugin, err := stub.New(
				c.nriPlugin,
				stub.WithSocketPath(socket),
				stub.WithPluginName(pluginName),
				stub.WithPluginIdx(pluginIdx),
				stub.WithOnClose(func() { connected.Store(false) }),
			)
			if err == nil {
				err = plugin.Start(ctx)
			}
			if err != nil {
				klog.InfoS("the container runtime does not tell of starting pods yet", "reason", err)
				continue
			}
			connected.Store(true)
			plugin.Wait()
			connected.Store(false)
		}
	}()
	return &connected
}
