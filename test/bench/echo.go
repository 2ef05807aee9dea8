package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// echo is the least that a page needs: one insert that is synced to disk, and
// server-sent events from net/http. It is what the page is compared with.
type echo struct {
	*ear
	url      string
	database *sql.DB
	insert   *sql.Stmt
	server   *http.Server

	mu      sync.Mutex
	readers map[chan string]bool
}

func startEcho(ctx context.Context, dir string) (e *echo, err error) {
	e = &echo{ear: newEar(), readers: make(map[chan string]bool)}
	e.database, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "echo.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	e.database.SetMaxOpenConns(1)
	if _, err := e.database.ExecContext(ctx, "create table said (seq integer primary key, text text not null)"); err != nil {
		return nil, err
	}
	if e.insert, err = e.database.PrepareContext(ctx, "insert into said (text) values (?)"); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /say", e.take)
	mux.HandleFunc("GET /events", e.stream)
	e.url, e.server = "http://"+l.Addr().String(), &http.Server{Handler: mux}
	go e.server.Serve(l) // ends with close
	ready := make(chan error, 1)
	go e.follow(ctx, ready)
	return e, <-ready
}

func (e *echo) close() error { return errors.Join(e.server.Close(), e.database.Close()) }

func (e *echo) take(w http.ResponseWriter, r *http.Request) {
	text := r.FormValue("text")
	if _, err := e.insert.ExecContext(r.Context(), text); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	e.mu.Lock()
	for c := range e.readers {
		c <- text
	}
	e.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
}

func (e *echo) stream(w http.ResponseWriter, r *http.Request) {
	c := make(chan string, 16)
	e.mu.Lock()
	e.readers[c] = true
	e.mu.Unlock()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	text := "ready"
	for {
		if _, err := fmt.Fprintf(w, "event: entry\ndata: %s\n\n", text); err != nil || control.Flush() != nil {
			return // the reader has gone
		}
		select {
		case text = <-c:
		case <-r.Context().Done():
			return
		}
	}
}

func (e *echo) follow(ctx context.Context, ready chan<- error) {
	err := readEvents(ctx, client, e.url+"/events", func(_, data string, at time.Time) error {
		if data == "ready" {
			ready <- nil
		} else {
			e.hear(heard{text: data, at: at})
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		ready <- err
	}
}

func (e *echo) say(ctx context.Context, text string) error {
	form := strings.NewReader(url.Values{"text": {text}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/say", form)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return errors.New("echo: " + response.Status)
	}
	return nil
}
