package webui

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// transcript calls tell with every record that is for the identity to read, in order. The first page is read before anything is
// written, so that a refusal still has its status.
func (s *Server) transcript(r *http.Request, c caller, begin func(*bridge.Room) error, tell func(bridge.Record) error) error {
	room, _, err := s.service.View(r.Context(), c.session, c.by)
	if err != nil {
		return err
	}
	records, err := s.service.Records(r.Context(), c.session, c.by, 0, bridge.MaxPage)
	if err == nil {
		err = begin(room)
	}
	for err == nil && len(records) > 0 {
		for _, record := range records {
			if !silent(record) {
				s.mustGoOn(tell(record))
			}
		}
		records, err = s.service.Records(r.Context(), c.session, c.by, records[len(records)-1].Seq, bridge.MaxPage)
		s.mustGoOn(err)
	}
	return err
}

// mustGoOn ends an answer that has begun and cannot be finished so that the client sees it: net/http closes the connection
// without the last chunk.
func (s *Server) mustGoOn(err error) {
	if err != nil {
		s.log.Warn("a transcript broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

func apiTranscriptText(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	var t teller
	return s.transcript(r, c, func(room *bridge.Room) error {
		t = teller{printer: s.printer(r), room: room}
		download(w, "text/plain; charset=utf-8", room.Session.ID, "txt")
		_, err := fmt.Fprintf(w, "%s\n%s\n\n", subject(t.printer, room), room.Session.ID)
		return err
	}, func(record bridge.Record) error {
		return writeLine(w, t, record)
	})
}

// writeLine writes a record: its time, who, and what; further lines of a text are set in.
func writeLine(w io.Writer, t teller, r bridge.Record) error {
	what := t.happened(r)
	switch {
	case r.Kind == bridge.KindMessage && r.Erased:
		what = t.name(r.Member) + ": (" + t.printer.T("page.taken_away") + ")"
	case r.Kind == bridge.KindMessage:
		what = t.name(r.Member) + ": " + strings.ReplaceAll(r.Body.Text, "\n", "\n    ")
	}
	if what == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s  %s\n", r.At.UTC().Format("2006-01-02 15:04:05Z"), what)
	return err
}

func apiTranscriptJSON(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	marks, err := s.service.ReadMarks(r.Context(), c.session, c.by)
	if err != nil {
		return err
	}
	separator := ""
	err = s.transcript(r, c, func(room *bridge.Room) error {
		head, err := json.Marshal(roomJSON(room, marks))
		if err != nil {
			return err
		}
		download(w, "application/json", room.Session.ID, "json")
		_, err = fmt.Fprintf(w, `{"session":%s,"records":[`, head)
		return err
	}, func(record bridge.Record) error {
		text, err := json.Marshal(recordJSON(record))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n%s", separator, text)
		separator = ","
		return err
	})
	if err == nil {
		_, err = io.WriteString(w, "\n]}\n")
	}
	return err
}

func download(w http.ResponseWriter, kind string, session uuid.UUID, ending string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="mailroom-%s.%s"`, session, ending))
}
