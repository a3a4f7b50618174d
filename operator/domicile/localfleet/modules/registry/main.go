// registry: an OCI registry with the referrers API, on one loopback address, with its blobs in one directory.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	address := flag.String("address", "", "HOST:PORT to listen on")
	blobs := flag.String("blobs", "", "directory for the blobs")
	flag.Parse()
	if *address == "" || *blobs == "" {
		log.Fatal("registry: -address and -blobs are both needed")
	}
	if err := os.MkdirAll(*blobs, 0o700); err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:              *address,
		ReadHeaderTimeout: 10 * time.Second,
		Handler: registry.New(
			registry.WithReferrersSupport(true),
			registry.WithBlobHandler(registry.NewDiskBlobHandler(*blobs)),
		),
	}
	log.Fatal(server.ListenAndServe())
}
