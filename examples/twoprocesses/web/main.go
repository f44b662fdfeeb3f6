// Command web schedules reports over HTTP and shows how far they are; a worker in another process makes them. It has the
// definition, and no handler: it cannot run a report, and need not be able to.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/examples/twoprocesses/report"
	"github.com/globaltask/gtf/store/sqlitestore"
)

// server answers requests with what its client knows.
type server struct{ client *gtf.Client }

// schedule answers 202 with the id of the task, which may have been made by somebody else.
func (s *server) schedule(w http.ResponseWriter, r *http.Request) {
	h, err := report.Render.Schedule(r.Context(), s.client, report.Input{Name: r.PathValue("name")}, nil)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]any{"id": h.ID, "joined": h.Joined})
}

// show answers with what the caller may see of a task.
func (s *server) show(w http.ResponseWriter, r *http.Request) {
	id, err := gtf.ParseID(r.PathValue("id"))
	if err != nil {
		refuse(w, gtf.ErrNotFound)
		return
	}
	task, err := s.client.Get(r.Context(), id)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"name": task.Name, "status": task.Status, "progress": task.Progress.String(), "result": task.Result,
	})
}

// authenticated lets only requests in that say who is asking, and puts that into their context: without a principal, Go
// code is the host and sees everything. A real program has the name from its authentication.
func authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.Header.Get("X-User")
		if user == "" {
			answer(w, http.StatusUnauthorized, map[string]any{"message": "who are you?"})
			return
		}
		next.ServeHTTP(w, r.WithContext(gtf.WithPrincipal(r.Context(), gtf.Principal{ID: user})))
	})
}

func refuse(w http.ResponseWriter, err error) {
	if invalid, ok := errors.AsType[*gtf.ValidationError](err); ok {
		answer(w, http.StatusBadRequest, map[string]any{"message": invalid.Error()})
		return
	}
	if errors.Is(err, gtf.ErrNotFound) {
		answer(w, http.StatusNotFound, map[string]any{"message": "no such task"})
		return
	}
	log.Print(err)
	answer(w, http.StatusInternalServerError, map[string]any{"message": "that did not work"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

func main() {
	database := flag.String("db", "gtf.db", "the SQLite `file` that both processes use")
	listen := flag.String("listen", "127.0.0.1:8090", "the `address` to serve")
	flag.Parse()
	if err := run(context.Background(), *database, *listen); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database, address string) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	store, err := sqlitestore.Open(ctx, database, nil)
	if err != nil {
		return err
	}
	client, err := gtf.New(store, nil) // not started: it schedules and looks
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, client.Stop(context.WithoutCancel(ctx)), store.Close()) }()

	s := &server{client: client}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reports/{name}", s.schedule)
	mux.HandleFunc("GET /tasks/{id}", s.show)
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("serving http://%s\n", listener.Addr())
	web := &http.Server{Handler: authenticated(mux), ReadHeaderTimeout: 5 * time.Second}
	unhook := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer unhook()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
