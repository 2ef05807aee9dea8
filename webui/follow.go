package webui

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

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

// follower reads the log of a session for one reader.
type follower struct {
	server  *Server
	request *http.Request
	visit   *visit
	after   int64
}

// next reads what is new, at most batchSize entries. It asks each time who the browser is, since it may have been signed
// out, and the gate.
func (f *follower) next() ([]entry, error) {
	by, err := f.server.identify(f.request, f.visit.id)
	if err != nil {
		return nil, err
	}
	f.visit.by = by
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
