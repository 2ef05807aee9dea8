package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// flakyAppservice refuses every transaction until it recovers.
type flakyAppservice struct {
	*httptest.Server
	well     atomic.Bool
	refused  chan struct{}
	accepted chan struct{}
}

func newFlakyAppservice(t *testing.T) *flakyAppservice {
	service := &flakyAppservice{refused: make(chan struct{}, 1), accepted: make(chan struct{}, 1)}
	service.Server = httptest.NewServer(http.HandlerFunc(service.answer))
	t.Cleanup(service.Close)
	return service
}

func (s *flakyAppservice) answer(w http.ResponseWriter, request *http.Request) {
	if !strings.Contains(request.URL.Path, "/transactions/") {
		http.NotFound(w, request)
		return
	}
	if !s.well.Load() {
		http.Error(w, `{}`, http.StatusInternalServerError)
		notify(s.refused)
		return
	}
	if _, err := w.Write([]byte(`{}`)); err == nil {
		notify(s.accepted)
	}
}

// notify tells at least once that something happened.
func notify(happened chan struct{}) {
	select {
	case happened <- struct{}{}:
	default:
	}
}

func (s *flakyAppservice) recover() { s.well.Store(true) }

func (s *flakyAppservice) waitRefused(t *testing.T)  { t.Helper(); wait(t, s.refused) }
func (s *flakyAppservice) waitAccepted(t *testing.T) { t.Helper(); wait(t, s.accepted) }

func wait(t *testing.T, happened chan struct{}) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(time.Minute):
		t.Fatal("the homeserver sent no transaction within a minute")
	}
}

// writeRegistration asks for the events of bob's rooms.
func (s *flakyAppservice) writeRegistration(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registration.yaml")
	text := "id: flaky\nurl: " + s.URL + "\nas_token: as-token\nhs_token: hs-token\nsender_localpart: flaky\n" +
		"namespaces:\n  users: [{exclusive: false, regex: '@bob:example\\.org'}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
