// caller: a pod that calls where it is told to, says what came of it, and can be called; for tests of who reaches whom.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const patience = time.Second

func main() {
	address := flag.String("listen", ":8080", "where it can be called")
	first := flag.String("first", "", "HOST:PORT to call as soon as it runs, again and again until it is reached")
	flag.Parse()

	began := time.Now()
	var reached atomic.Int64 // milliseconds after the start
	reached.Store(-1)
	if *first != "" {
		go func() {
			for call(*first, patience) != nil {
				time.Sleep(5 * time.Millisecond)
			}
			reached.Store(time.Since(began).Milliseconds())
		}()
	}

	var held atomic.Pointer[net.Conn]
	http.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /call", func(writer http.ResponseWriter, request *http.Request) {
		within, err := time.ParseDuration(request.FormValue("within"))
		if err == nil {
			err = call(request.FormValue("to"), within)
		}
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadGateway)
		}
	})
	http.HandleFunc("GET /hold", func(writer http.ResponseWriter, request *http.Request) {
		connection, err := net.DialTimeout("tcp", request.FormValue("to"), patience)
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadGateway)
			return
		}
		held.Store(&connection)
	})
	http.HandleFunc("GET /held", func(writer http.ResponseWriter, _ *http.Request) {
		if err := ask(*held.Load()); err != nil {
			http.Error(writer, err.Error(), http.StatusBadGateway)
		}
	})
	http.HandleFunc("GET /first", func(writer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(writer, reached.Load())
	})
	http.HandleFunc("GET /addresses", func(writer http.ResponseWriter, _ *http.Request) {
		own, _ := net.InterfaceAddrs()
		for _, each := range own {
			fmt.Fprintln(writer, each)
		}
	})
	server := &http.Server{Addr: *address, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// ask wants an answer from another caller over an open connection.
func ask(connection net.Conn) error {
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(connection, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	_, err := connection.Read(make([]byte, 1))
	return err
}

func call(to string, within time.Duration) error {
	connection, err := net.DialTimeout("tcp", to, within)
	if err != nil {
		return err
	}
	return connection.Close()
}
