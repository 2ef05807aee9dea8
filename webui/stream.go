package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
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

// roomState is what a reader sees of the session beside its log.
type roomState struct {
	Me       string   `json:"me"`
	Subject  string   `json:"subject"`
	People   []person `json:"people"`
	Writable bool     `json:"writable"`
}

func (v *visit) state() roomState {
	return roomState{v.me.ID.String(), subject(v.tell.printer, v.room), people(v.tell.printer, v.room, v.me), v.writable()}
}

// followSession gives a reader what comes after their position: as a stream of events, or, with ?wait=, as one answer for
// those whom no stream reaches.
func (s *Server) followSession(w http.ResponseWriter, r *http.Request) {
	v, ok := s.enter(w, r)
	if !ok {
		return
	}
	f := &follower{server: s, request: r, visit: v, after: position(r)}
	follow := f.stream
	if r.URL.Query().Has("wait") {
		follow = f.poll
	}
	if err := follow(w); err != nil {
		s.refuse(w, r, err)
	}
}

// position is where the reader is in the log. The header is that of a browser's own resume, and newer than the address.
func position(r *http.Request) int64 {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return seqOf(id)
	}
	return seqOf(r.URL.Query().Get("after"))
}

// follower reads the log of a session for one reader.
type follower struct {
	server  *Server
	request *http.Request
	visit   *visit
	after   int64
}

// next reads what is new, at most batchSize entries, and asks the gate for it each time.
func (f *follower) next() ([]entry, error) {
	records, err := f.server.service.Records(f.request.Context(), f.visit.id, f.visit.by, f.after, batchSize)
	if err != nil {
		return nil, err
	}
	// The room after the records: everybody whom they name is in it. It may also have changed without a record.
	if err := f.visit.look(f.server, f.request); err != nil || len(records) == 0 {
		return nil, err
	}
	entries := make([]entry, len(records))
	for i, record := range records {
		entries[i] = f.visit.tell.tell(record)
	}
	f.after = records[len(records)-1].Seq
	return entries, nil
}

// batch is the answer to a poll.
type batch struct {
	roomState
	Entries []entry `json:"entries"`
}

// poll answers as soon as there is something, at the latest after ?wait= seconds.
func (f *follower) poll(w http.ResponseWriter) error {
	leave, err := f.server.occupy(w, f.visit.me.ID)
	if err != nil {
		return err
	}
	defer leave()
	wait := min(time.Duration(seqOf(f.request.URL.Query().Get("wait")))*time.Second, maxWait)
	changed, cancel := f.server.service.Subscribe(f.visit.id)
	defer cancel()
	ctx, stop := context.WithTimeout(f.request.Context(), wait)
	defer stop()
	entries, err := f.next()
	for err == nil && len(entries) == 0 && f.wait(ctx, changed) {
		entries, err = f.next()
	}
	if err == nil {
		writeJSON(w, http.StatusOK, batch{f.visit.state(), entries})
	}
	return err
}

func (f *follower) wait(ctx context.Context, changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	case <-ctx.Done():
	case <-f.server.stopping:
	}
	return false
}

// stream sends, beside what Server.stream does:
//
//	room   {me, subject, people, writable}, at the beginning and when it has changed
//	entry  an entry; its id is its seq
func (f *follower) stream(w http.ResponseWriter) error {
	told := int64(-1)
	return f.server.stream(w, f.request, f.visit.id, f.visit.me.ID, func(events *eventWriter) error {
		return f.forward(events, &told)
	})
}

// forward sends everything that is new; told is the version of the room that the reader has.
func (f *follower) forward(events *eventWriter, told *int64) error {
	for events.err == nil {
		entries, err := f.next()
		if err != nil {
			return err
		}
		if version := f.visit.room.Session.ACLVersion; version != *told {
			*told = version
			events.write("room", "", f.visit.state())
		}
		for _, e := range entries {
			events.write("entry", strconv.FormatInt(e.Seq, 10), e)
		}
		if len(entries) == 0 {
			break
		}
	}
	return nil
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

// stream sends events until the reader goes, may no longer read, or the server stops:
//
//	hello  once, at the beginning: the stream gets through
//	ping   every pingTime
//	gone   the reader may not read this session any more; nothing follows
//
// forward sends what is new; it is called at the beginning and whenever there may be something. An error is returned only
// while nothing was sent yet.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, session, reader uuid.UUID, forward func(*eventWriter) error) error {
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
	for events.err == nil && s.forward(session, events, forward) {
		select {
		case <-changed:
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

// forward says if the stream goes on.
func (s *Server) forward(session uuid.UUID, events *eventWriter, forward func(*eventWriter) error) bool {
	err := forward(events)
	if bridge.CodeOf(err) == bridge.NotFound {
		events.write("gone", "", nil)
		return false
	}
	if err != nil {
		s.log.Warn("a stream broke off", "session", session, "error", err)
	}
	return err == nil
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
