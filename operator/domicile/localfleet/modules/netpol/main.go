// kube-network-policies: enforces NetworkPolicies on the pods of one bridge, by the evaluation of the project of that name.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"domicile.dev/localfleet/netpol/networkpolicy"
)

const (
	protobuf = "application/vnd.kubernetes.protobuf"
	queues   = "/proc/net/netfilter/nfnetlink_queue"
)

type settings struct {
	kubeconfig, node, bridge, table, nri, health string
	queue                                        int
}

func main() {
	var set settings
	flag.StringVar(&set.kubeconfig, "kubeconfig", "", "who it is at which API server")
	flag.StringVar(&set.node, "node", "", "name of this node")
	flag.StringVar(&set.bridge, "bridge", "", "the bridge of the node's pods")
	flag.StringVar(&set.table, "table", "", "name of the nftables table to make")
	flag.StringVar(&set.nri, "nri-socket", "", "socket of the container runtime's NRI")
	flag.StringVar(&set.health, "health-address", "", "HOST:PORT that answers /healthz with 200 once policies are enforced")
	flag.IntVar(&set.queue, "queue", 0, "number of the netfilter queue")
	only := flag.Bool("check", false, "only try whether this kernel can do it")
	klog.InitFlags(nil)
	flag.Parse()
	work := func() error { return enforce(set) }
	if *only {
		work = check
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func enforce(set settings) error {
	stopping, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	if bound(set.queue) {
		return fmt.Errorf("netfilter queue %d is another program's", set.queue)
	}
	// First of all: from here on, nothing of a pod passes without a verdict.
	if err := install(set.table, set.bridge, uint16(set.queue)); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", set.kubeconfig)
	if err != nil {
		return err
	}
	config.ContentType, config.AcceptContentTypes = protobuf, protobuf+",application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(
		client,
		shared.Networking().V1().NetworkPolicies(),
		shared.Core().V1().Namespaces(),
		shared.Core().V1().Pods(),
		nil, nil, nil, nil,
		networkpolicy.Config{NodeName: set.node, QueueID: set.queue, NFTableName: set.table, NRIdisabled: true},
	)
	if err != nil {
		return err
	}
	hears := controller.HearOfStartingPods(stopping, set.nri)
	go serveHealth(set.health, func() bool { return bound(set.queue) && hears.Load() })
	shared.Start(stopping.Done())
	return controller.Run(stopping)
}

// bound says whether a program reads the queue; the controller does so once it knows all policies and pods.
func bound(queue int) bool {
	text, err := os.ReadFile(queues)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == strconv.Itoa(queue) {
			return true
		}
	}
	return false
}

func serveHealth(address string, ready func() bool) {
	answer := func(writer http.ResponseWriter, _ *http.Request) {
		if !ready() {
			http.Error(writer, "[-] not watching yet", http.StatusServiceUnavailable)
		}
	}
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 10 * time.Second}
	klog.Fatal(server.ListenAndServe())
}
