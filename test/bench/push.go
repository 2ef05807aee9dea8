package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// pushed is the least that the homeserver can push events to: an appservice
// that hears what is said, answers at once and stores nothing.
type pushed struct {
	*ear
	registration string // file
	server       *http.Server
}

const pushedToken = "the token of the bare appservice"

func startPushed(dir string) (*pushed, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &pushed{ear: newEar(), registration: filepath.Join(dir, "bare.yaml")}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /_matrix/app/v1/transactions/{id}", p.take)
	p.server = &http.Server{Handler: mux}
	go p.server.Serve(l) // ends with close
	return p, os.WriteFile(p.registration, fmt.Appendf(nil, pushedRegistration, l.Addr(), pushedToken, domain), 0o644)
}

const pushedRegistration = `id: bare
url: http://%s
as_token: %q
hs_token: %[2]q
sender_localpart: bare
rate_limited: false
namespaces:
  users: [{regex: "^@bare:%[3]s$", exclusive: true}]
`

func (p *pushed) close() error { return p.server.Close() }

func (p *pushed) take(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	var news struct{ Events []matrixEvent }
	if err := json.NewDecoder(r.Body).Decode(&news); err != nil {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	_, _ = w.Write([]byte("{}")) // who does not hear it sends again
	for _, e := range news.Events {
		if e.said() {
			p.hear(heard{e.Content.Body, e.ID, at})
		}
	}
}

// join brings the appservice's own user into a room, so that it gets the
// room's events.
func (p *pushed) join(ctx context.Context, base, room string) error {
	u := &matrixUser{base: base, token: pushedToken}
	made := u.call(ctx, http.MethodPost, "/register", map[string]string{"type": "m.login.application_service", "username": "bare"}, nil)
	if err := u.join(ctx, room); err != nil {
		return errors.Join(err, made) // it may be there already
	}
	return nil
}
