package webui

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"mailroom/bridge"
)

// roomState is what a reader sees of the session beside its log.
type roomState struct {
	Me       string   `json:"me"`
	Subject  string   `json:"subject"`
	People   []person `json:"people"`
	Writable bool     `json:"writable"`
	Invites  bool     `json:"invites"` // the reader may invite others
	terms
}

func (v *visit) state() roomState {
	return roomState{
		v.me.ID.String(), subject(v.tell.printer, v.room), v.people(), v.writable(), v.may(bridge.ActInvite), v.terms(),
	}
}

// followSession gives a reader what comes after their position: as a stream of events, or, with ?wait=, as one answer for
// those whom no stream reaches.
func (s *Server) followSession(w http.ResponseWriter, r *http.Request) {
	v, ok := s.enter(w, r)
	if !ok {
		return
	}
	signals, cancel := s.service.SubscribeSignals(v.id)
	defer cancel()
	f := &follower{server: s, request: r, visit: v, after: position(r), signals: signals}
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
	signals <-chan struct{}
	told    told
	due     time.Time // when to look again, although nobody hints; zero: no need
}

// told is what the reader has of what is no entry.
type told struct {
	signs   []sign // nil: nothing was told yet
	version int64  // of the room
	closed  string // which the clock changes, without a new version
}

// next reads what is new, at most batchSize entries. It asks each time who the browser is and what the gate says: it may
// have been signed out, or its member removed.
func (f *follower) next() (entries []entry, err error) {
	if f.visit.by, err = f.server.identify(f.request, f.visit.id); err != nil {
		return nil, err
	}
	records, err := f.server.service.Records(f.request.Context(), f.visit.id, f.visit.by, f.after, batchSize)
	if err != nil {
		return nil, err
	}
	// The room after the records: everybody whom they name is in it. It may also have changed without a record.
	if err := f.visit.look(f.server, f.request); err != nil || len(records) == 0 {
		return nil, err
	}
	entries = make([]entry, len(records))
	for i, record := range records {
		entries[i] = f.visit.tell.tell(record)
	}
	f.after = records[len(records)-1].Seq
	return entries, nil
}

// news says what the reader has not been told of the room and of the others' signs, and that they are told now.
func (f *follower) news() (room, signs bool, err error) {
	list, until, err := f.signs()
	if err != nil {
		return false, false, err
	}
	now := told{list, f.visit.room.Session.ACLVersion, f.visit.closed()}
	first := f.told.signs == nil
	room = first || f.told.version != now.version || f.told.closed != now.closed
	signs = first || !slices.Equal(f.told.signs, now.signs)
	f.told = now
	if f.due = f.visit.turns(); f.due.IsZero() || !until.IsZero() && until.Before(f.due) {
		f.due = until
	}
	return room, signs, nil
}

// batch is the answer to a poll.
type batch struct {
	roomState
	Entries []entry `json:"entries"`
	Signals []sign  `json:"signals"`
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
	if err == nil {
		_, _, err = f.news()
	}
	for err == nil && len(entries) == 0 && f.wait(ctx, changed) {
		var room, signs bool
		if entries, err = f.next(); err == nil {
			room, signs, err = f.news()
		}
		if room || signs {
			break
		}
	}
	if err == nil {
		writeJSON(w, http.StatusOK, batch{f.visit.state(), entries, f.told.signs})
	}
	return err
}

func (f *follower) wait(ctx context.Context, changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	case <-f.signals:
		return true
	case <-f.again():
		return true
	case <-ctx.Done():
	case <-f.server.stopping:
	}
	return false
}

// again fires when it is time to look although nobody hinted.
func (f *follower) again() <-chan time.Time {
	if f.due.IsZero() {
		return nil
	}
	return time.After(max(time.Until(f.due), 0) + 10*time.Millisecond)
}

// stream sends, beside what Server.stream does:
//
//	room     a roomState, at the beginning and when it has changed
//	entry    an entry; its id is its seq
//	signals  the signs of all whom the reader may see, at the beginning and when they have changed
func (f *follower) stream(w http.ResponseWriter) error {
	return f.server.stream(w, f.request, f.visit.id, f.visit.me.ID, feed{f.forward, f.signals, f.again})
}

// forward sends everything that is new.
func (f *follower) forward(events *eventWriter) error {
	for events.err == nil {
		entries, err := f.next()
		if err != nil {
			return err
		}
		room, signs, err := f.news()
		if err != nil {
			return err
		}
		if room {
			events.write("room", "", f.visit.state())
		}
		for _, e := range entries {
			events.write("entry", strconv.FormatInt(e.Seq, 10), e)
		}
		if signs {
			events.write("signals", "", f.told.signs)
		}
		if len(entries) == 0 {
			break
		}
	}
	return nil
}
