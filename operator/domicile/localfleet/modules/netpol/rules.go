package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// install makes the table: whatever begins a connection from or to a pod of the bridge waits in the queue for a verdict.
// While nobody reads the queue, it is dropped.
func install(table, bridge string, queue uint16) error {
	if err := seeBridged(bridge); err != nil {
		return err
	}
	err := apply(table, bridge, &expr.Queue{Num: queue})
	if errors.Is(err, unix.ENOENT) {
		// A kernel without nft_queue; through nft_compat, the target of iptables does the same.
		err = apply(table, bridge, xtablesQueue(queue))
	}
	if err != nil {
		return fmt.Errorf("nftables table %s: %w", table, err)
	}
	return nil
}

// seeBridged has packets between two ports of the bridge pass the hooks of IP; they pass those of the bridge alone otherwise.
func seeBridged(bridge string) error {
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		return errors.New("br_netfilter is not loaded: packets between two pods of a node would pass no rule")
	}
	for _, name := range []string{"nf_call_iptables", "nf_call_ip6tables"} {
		if err := os.WriteFile(filepath.Join("/sys/class/net", bridge, "bridge", name), []byte("1"), 0); err != nil {
			return err
		}
	}
	return nil
}

// apply replaces the table as one transaction.
//
//	chain forward, chain input:
//	    ct state established,related accept
//	    iifname BRIDGE meta nfproto ipv6 drop      pods have no addresses but the link's own, which no policy knows
//	    iifname BRIDGE queue
//	    oifname BRIDGE queue                       (forward alone)
//
// There is no chain for output: what the node itself begins, such as the kubelet's probes, reaches every pod.
func apply(name, bridge string, queue expr.Any) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
	conn.AddTable(table) // so that there is one to delete
	conn.DelTable(table)
	conn.AddTable(table)
	for _, hook := range []struct {
		name   string
		number *nftables.ChainHook
	}{{"forward", nftables.ChainHookForward}, {"input", nftables.ChainHookInput}} {
		chain := conn.AddChain(&nftables.Chain{
			Name:     hook.name,
			Table:    table,
			Type:     nftables.ChainTypeFilter,
			Hooknum:  hook.number,
			Priority: nftables.ChainPriorityFilter,
		})
		rules := [][]expr.Any{
			append(ofKnownConnection(), &expr.Verdict{Kind: expr.VerdictAccept}),
			append(through(expr.MetaKeyIIFNAME, bridge), append(overIPv6(), &expr.Verdict{Kind: expr.VerdictDrop})...),
			append(through(expr.MetaKeyIIFNAME, bridge), queue),
		}
		if hook.number == nftables.ChainHookForward {
			rules = append(rules, append(through(expr.MetaKeyOIFNAME, bridge), queue))
		}
		for _, rule := range rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: rule})
		}
	}
	return conn.Flush()
}

func ofKnownConnection() []expr.Any {
	known := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	none := []byte{0, 0, 0, 0}
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: known, Xor: none},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: none},
	}
}

func through(direction expr.MetaKey, link string) []expr.Any {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, link)
	return []expr.Any{
		&expr.Meta{Key: direction, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: name},
	}
}

func overIPv6() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.NFPROTO_IPV6}},
	}
}

// xtablesQueue is the target NFQUEUE in its third revision: the queue, one of it, and no flag.
func xtablesQueue(queue uint16) expr.Any {
	info := make([]byte, 6)
	binary.NativeEndian.PutUint16(info, queue)
	binary.NativeEndian.PutUint16(info[2:], 1)
	raw := xt.Unknown(info)
	return &expr.Target{Name: "NFQUEUE", Rev: 3, Info: &raw}
}
