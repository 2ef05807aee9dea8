package webui

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
	"mailroom/content"
)

// apiPage is how many records a request gets that names no limit; bridge.MaxPage is the most.
const apiPage = 100

// apiRecord is a record of the log as the API tells it.
type apiRecord struct {
	Seq     int64          `json:"seq"`
	ID      uuid.UUID      `json:"id"`
	Kind    bridge.Kind    `json:"kind"`
	At      time.Time      `json:"at"`
	Via     bridge.Network `json:"via"`
	Member  string         `json:"member,omitempty"`
	Target  string         `json:"target,omitempty"`
	Lang    string         `json:"lang,omitempty"`
	Text    string         `json:"text,omitempty"`
	HTML    string         `json:"html,omitempty"`
	Subject string         `json:"subject,omitempty"`
	Ref     int64          `json:"ref,omitempty"`
	Erased  bool           `json:"erased,omitempty"`
}

// silent says that a record is not for the reader: bridge leaves nothing of it but its place.
func silent(r bridge.Record) bool { return r.Kind == "" }

func recordJSON(r bridge.Record) apiRecord {
	return apiRecord{
		Seq: r.Seq, ID: r.ID, Kind: r.Kind, At: r.At.UTC(), Via: r.Via(), Member: idOrNone(r.Member), Target: idOrNone(r.Target),
		Lang: r.Lang, Text: r.Body.Text, HTML: r.Body.HTML, Subject: r.Subject,
		Ref: r.Ref, Erased: r.Erased,
	}
}

func idOrNone(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// apiMessageBody is something to say. HTML, if it is there, says it all, and the text is made of it.
type apiMessageBody struct {
	Text     string `json:"text"`
	HTML     string `json:"html"`
	Lang     string `json:"lang"`
	ClientID string `json:"client_id"`
}

func (m apiMessageBody) body() (bridge.Body, error) {
	if len(m.Text) > content.MaxText || len(m.HTML) > content.MaxHTML {
		return bridge.Body{}, &bridge.Error{Code: bridge.TooMany, Message: "That message is too long. Send it in parts."}
	}
	said := content.FromText(m.Text)
	if m.HTML != "" {
		said = content.FromHTML(m.HTML)
	}
	if said.Empty() {
		return bridge.Body{}, &bridge.Error{Code: bridge.Invalid, Message: "There is nothing in that message. Write something first."}
	}
	return bridge.Body(said), nil
}

// apiPost says something, and answers after it is durable. The same client id is the same message.
func apiPost(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	var message apiMessageBody
	if err := decode(w, r, &message); err != nil {
		return err
	}
	said, err := message.body()
	if err != nil {
		return err
	}
	origin, err := apiOrigin(r, c, message.ClientID)
	if err != nil {
		return err
	}
	record, err := s.service.Post(r.Context(), bridge.PostRequest{Session: c.session, By: c.by, Body: said, Lang: message.Lang, Origin: origin})
	if err != nil {
		return err
	}
	s.meters.posts.WithLabelValues("api").Inc()
	writeJSON(w, http.StatusCreated, recordJSON(record))
	return nil
}

// apiMessages lists messages after a seq. next is where to go on; it moves over records of other kinds, too.
func apiMessages(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	next, limit := seqOf(r.URL.Query().Get("after")), apiLimit(r)
	records, err := s.service.Records(r.Context(), c.session, c.by, next, limit)
	if err != nil {
		return err
	}
	messages := make([]apiRecord, 0, len(records))
	for _, record := range records {
		next = record.Seq
		if record.Kind == bridge.KindMessage {
			messages = append(messages, recordJSON(record))
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"messages": messages, "next": next, "more": len(records) == limit})
	return nil
}

func apiLimit(r *http.Request) int {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 {
		return apiPage
	}
	return min(limit, bridge.MaxPage)
}

// apiEvents streams the records after a seq, each with its seq as the event's id, and goes on with what comes.
func apiEvents(s *Server, w http.ResponseWriter, r *http.Request, c caller) error {
	_, me, err := s.service.View(r.Context(), c.session, c.by)
	if err != nil {
		return err
	}
	after := position(r)
	return s.stream(w, r, c.session, me.ID, feed{again: never, forward: func(events *eventWriter) error {
		for events.err == nil {
			records, err := s.service.Records(r.Context(), c.session, c.by, after, batchSize)
			if err != nil || len(records) == 0 {
				return err
			}
			for _, record := range records {
				after = record.Seq
				if silent(record) {
					continue
				}
				events.write("record", strconv.FormatInt(after, 10), recordJSON(record))
			}
		}
		return nil
	}})
}
