package app

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"time"

	"mailroom/store"
)

// memoryServer gives the other nodes this one's memory of what is off the
// record. To everybody else there is nothing here.
type memoryServer struct {
	memory  store.Keeper
	seal    seal
	log     *slog.Logger
	unknown http.Handler
}

// ServeHTTP implements http.Handler.
func (s *memoryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(ticketHeader)
	if !s.admits(name) {
		s.unknown.ServeHTTP(w, r)
		return
	}
	var q question
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSealed))
	if err == nil {
		err = s.seal.open(questionOf(name), body, &q)
	}
	if err != nil {
		s.log.Warn("a node asked something that cannot be read", "error", err)
		s.unknown.ServeHTTP(w, r)
		return
	}
	sealed, err := s.seal.close(answerTo(name), s.answer(r.Context(), q))
	if err != nil {
		s.log.Error("an answer to another node cannot be made", "error", err)
		http.Error(w, "no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(sealed) // who went away asks again
}

// admits says if a ticket is one of ours, and of now.
func (s *memoryServer) admits(name string) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil || name == "" {
		return false
	}
	var t ticket
	if err := s.seal.open("ticket", sealed, &t); err != nil {
		return false
	}
	return time.Since(t.At).Abs() < ticketTime
}

var calls = map[string]func(context.Context, store.Keeper, question) (answer, error){
	"keep": keep, "recall": recall, "find": find, "drop": drop,
}

func (s *memoryServer) answer(ctx context.Context, q question) answer {
	call, ok := calls[q.Call]
	if !ok {
		return answer{Refusal: "this node is of a version that does not know the call " + q.Call}
	}
	a, err := call(ctx, s.memory, q)
	if err != nil {
		a.Refusal = err.Error()
	}
	return a
}

func keep(ctx context.Context, m store.Keeper, q question) (answer, error) {
	return answer{OK: true}, m.Keep(ctx, q.Session, q.Subject, q.Records)
}

func recall(ctx context.Context, m store.Keeper, q question) (a answer, err error) {
	a.Subject, a.Records, a.OK, err = m.Recall(ctx, q.Session, q.After, max(q.Limit, 0))
	if n := fitting(a.Records); n < len(a.Records) {
		a.Records, a.More = a.Records[:n], true
	}
	return a, err
}

func find(ctx context.Context, m store.Keeper, q question) (a answer, err error) {
	r, ok, err := m.Find(ctx, q.Session, q.Origin)
	if ok {
		a.OK, a.Records = true, append(a.Records, r)
	}
	return a, err
}

func drop(ctx context.Context, m store.Keeper, q question) (answer, error) {
	return answer{OK: true}, m.Drop(ctx, q.Session)
}
