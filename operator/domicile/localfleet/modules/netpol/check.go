package main

import (
	"fmt"
	"runtime"

	"github.com/florianl/go-nfqueue"
	"golang.org/x/sys/unix"
)

// check tries whether this kernel can do it, in a network namespace that ends with this process.
func check() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace to try it in: %w", err)
	}
	if err := apply("domicile-check", "lo", xtablesQueue(0)); err != nil {
		return err
	}
	queue, err := nfqueue.Open(&nfqueue.Config{MaxPacketLen: 128, MaxQueueLen: 1, Copymode: nfqueue.NfQnlCopyPacket})
	if err != nil {
		return fmt.Errorf("nfnetlink_queue: %w", err)
	}
	return queue.Close()
}
