package webui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

const (
	// MaxStreams is how many streams and long polls one reader may have open at a time.
	MaxStreams = 32
	// pingTime keeps a quiet stream alive: some networks cut what is silent for a minute. static/stream.js waits for it.
	pingTime = 20 * time.Second
	// writeTime is how long a reader may take for one write; a slower one is dropped, and resumes by its seq.
	writeTime = 10 * time.Second
	// maxWait is the longest that a long poll waits.
	maxWait = 25 * time.Second
	// batchSize is how many records are read at a time.
	batchSize = 100
)

// streams counts what is open for each reader.
type streams struct {
	mu   sync.Mutex
	open map[uuid.UUID]int
}

func newStreams() *streams { return &streams{open: make(map[uuid.UUID]int)} }

func (s *streams) enter(reader uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[reader] >= MaxStreams {
		return false
	}
	s.open[reader]++
	return true
}

func (s *streams) exit(reader uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[reader]--; s.open[reader] == 0 {
		delete(s.open, reader)
	}
}

// occupy takes one of the places that a reader has for streams and polls; the answer may take its time.
func (s *Server) occupy(w http.ResponseWriter, reader uuid.UUID) (leave func(), err error) {
	if !s.streams.enter(reader) {
		w.Header().Set("Retry-After", "30")
		return nil, &bridge.Error{Code: bridge.TooMany, Message: "Too many streams are open for this member. Close some of them."}
	}
	waits(w)
	return func() { s.streams.exit(reader) }, nil
}

// feed is where the events of a stream come from.
type feed struct {
	forward func(*eventWriter) error // sends what is new; called at the beginning and whenever there may be something
	signals <-chan struct{}          // a hint beside that of the log; nil: none
	again   func() <-chan time.Time  // when to call forward without a hint
}

func never() <-chan time.Time { return nil }

// stream sends events until the reader goes, may no longer read, or the server stops:
//
//	hello  once, at the beginning: the stream gets through
//	ping   every pingTime
//	gone   the reader may not read this session any more; nothing follows
//
// An error is returned only while nothing was sent yet.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, session, reader uuid.UUID, from feed) error {
	leave, err := s.occupy(w, reader)
	if err != nil {
		return err
	}
	defer leave()
	s.meters.streams.Inc()
	defer s.meters.streams.Dec()
	changed, cancel := s.service.Subscribe(session)
	defer cancel()
	ping := time.NewTicker(pingTime)
	defer ping.Stop()
	events := newEventWriter(w)
	events.write("hello", "", nil)
	for events.err == nil && s.goesOn(r, events, from.forward(events)) {
		select {
		case <-changed:
		case <-from.signals:
		case <-from.again():
		case <-ping.C: // also the floor below lost hints
			events.write("ping", "", nil)
		case <-r.Context().Done():
			return nil
		case <-s.stopping:
			return nil
		}
	}
	return nil
}

// goesOn says if a stream goes on after forward returned err.
func (s *Server) goesOn(r *http.Request, events *eventWriter, err error) bool {
	if bridge.CodeOf(err) == bridge.NotFound {
		events.write("gone", "", nil)
	} else if err != nil && r.Context().Err() == nil {
		s.log.Warn("a stream broke off", "route", r.Pattern, "error", err)
	}
	return err == nil
}

// position is where the reader is in the log. The header is that of a browser's own resume, and newer than the address.
func position(r *http.Request) int64 {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return seqOf(id)
	}
	return seqOf(r.URL.Query().Get("after"))
}

// eventWriter writes server-sent events (HTML, section 9.2). After an error it writes nothing more.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform") // a proxy that packs would hold events back
	h.Set("X-Accel-Buffering", "no")                 // nginx would, too
	control := http.NewResponseController(w)
	return &eventWriter{w: w, control: control, err: control.SetReadDeadline(time.Time{})}
}

func (e *eventWriter) write(event, id string, data any) {
	if e.err != nil {
		return
	}
	var text []byte
	if text, e.err = json.Marshal(data); e.err != nil {
		return
	}
	if e.err = e.control.SetWriteDeadline(time.Now().Add(writeTime)); e.err != nil {
		return
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, e.err = fmt.Fprintf(e.w, "event: %s\n%sdata: %s\n\n", event, id, text); e.err != nil {
		return
	}
	if e.err = e.control.Flush(); e.err == nil {
		// HTTP/2 resets a stream whose deadline passes, even while nothing is written.
		e.err = e.control.SetWriteDeadline(time.Time{})
	}
}
