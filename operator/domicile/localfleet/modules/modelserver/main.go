// modelserver: a softmax or logistic regression behind KServe's v1 and v2 HTTP protocols.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	name := flag.String("model_name", "model", "name under which the model is served")
	dir := flag.String("model_dir", "/mnt/models", "directory that holds model.json")
	port := flag.Int("http_port", 8080, "port to listen on")
	flag.Parse()

	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	server := &Server{name: *name}
	go server.load(stopping, filepath.Join(*dir, "model.json"))

	listener := &http.Server{Addr: fmt.Sprintf(":%d", *port), Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-stopping.Done()
		deadline, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_ = listener.Shutdown(deadline)
	}()
	log.Printf("serving %s on :%d", *name, *port)
	if err := listener.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// load tries until the file is there: a modelcar may show the model only after this process has started.
func (s *Server) load(stopping context.Context, path string) {
	for {
		model, err := readModel(path)
		if err == nil {
			s.model.Store(model)
			log.Printf("model %s version %s loaded", s.name, model.Version)
			return
		}
		log.Printf("waiting for the model: %v", err)
		select {
		case <-stopping.Done():
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
}
