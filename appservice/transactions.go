package appservice

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// maxTransaction is the largest transaction taken, in bytes. Synapse puts up to 100 events of 64 KiB and some ephemeral data
// into one, Dendrite up to 50 events and the state that they bring.
const maxTransaction = 32 << 20

// parallelRooms is how many rooms of one transaction are handled at once.
const parallelRooms = 8

// Handler answers the homeserver (AS "Pushing events", "Querying", "Pinging"), at the paths of today and of r0.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"/_matrix/app/v1", ""} {
		mux.HandleFunc("PUT "+prefix+"/transactions/{txn}", g.fromHomeserver(g.transaction))
		mux.HandleFunc("GET "+prefix+"/users/{user}", g.fromHomeserver(unknown))
		mux.HandleFunc("GET "+prefix+"/rooms/{alias}", g.fromHomeserver(unknown))
	}
	mux.HandleFunc("POST /_matrix/app/v1/ping", g.fromHomeserver(ping))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, "M_UNRECOGNIZED", "There is nothing at this address.")
	})
	return mux
}

// fromHomeserver lets only the homeserver through, who shows the hs_token in the Authorization header, or in the query as
// servers before Matrix 1.4 do.
func (g *Gateway) fromHomeserver(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			token = r.URL.Query().Get("access_token")
		}
		if token == "" {
			answer(w, http.StatusUnauthorized, "M_MISSING_TOKEN", "The hs_token is missing.")
			return
		}
		if subtle.ConstantTimeCompare([]byte(token), []byte(g.registration.ServerToken)) != 1 {
			g.log.Warn("somebody showed a wrong hs_token; if it was the homeserver, give it the registration file again", "from", r.RemoteAddr)
			answer(w, http.StatusForbidden, "M_FORBIDDEN", "The hs_token is wrong.")
			return
		}
		next(w, r)
	}
}

// unknown is the answer for every user and alias that the homeserver does not know itself. Ghosts are registered before they
// are seen, and rooms have no alias; so whoever guesses names learns nothing, not even who was ever mailed.
func unknown(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusNotFound, "M_NOT_FOUND", "There is no such user or room.")
}

func ping(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "", "") }

// transaction answers 200 only when every event of it is stored or never will be taken, and 500 when storing failed, so that
// the homeserver repeats it. Repeats are found by event ID: Dendrite sends more events under the same transaction ID when it
// repeats one.
func (g *Gateway) transaction(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Events    []json.RawMessage `json:"events"`
		Ephemeral []json.RawMessage `json:"ephemeral"`
		// MSC2409, as Synapse sends it.
		Unstable []json.RawMessage `json:"de.sorunome.msc2409.ephemeral"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTransaction)).Decode(&body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		g.log.Error("a transaction of the homeserver is too large to be taken", "transaction", r.PathValue("txn"), "limit", maxTransaction)
		answer(w, http.StatusRequestEntityTooLarge, "M_TOO_LARGE", "The transaction is too large.")
	case err != nil:
		g.log.Warn("a transaction of the homeserver cannot be read", "transaction", r.PathValue("txn"), "error", g.hush(err))
		answer(w, http.StatusBadRequest, "M_NOT_JSON", "The transaction is not JSON.")
	case g.take(r.Context(), body.Events) != nil:
		answer(w, http.StatusInternalServerError, "M_UNKNOWN", "Not everything could be stored. Send it again.")
	default:
		g.takeEphemeral(r.Context(), append(body.Ephemeral, body.Unstable...))
		answer(w, http.StatusOK, "", "")
	}
}

// take handles the events of each room in order. Rooms do not wait for each other, so that their records share commits.
func (g *Gateway) take(ctx context.Context, raw []json.RawMessage) error {
	rooms, order := g.byRoom(raw)
	var group errgroup.Group
	group.SetLimit(parallelRooms)
	for _, room := range order {
		group.Go(func() error { return g.takeRoom(ctx, rooms[room]) })
	}
	return group.Wait()
}

func (g *Gateway) byRoom(raw []json.RawMessage) (rooms map[id.RoomID][]*event.Event, order []id.RoomID) {
	rooms = make(map[id.RoomID][]*event.Event)
	for _, text := range raw {
		evt, err := parseEvent(text)
		if err != nil {
			g.log.Warn("an event of the homeserver is malformed and left out", "error", g.hush(err))
			continue
		}
		if _, known := rooms[evt.RoomID]; !known {
			order = append(order, evt.RoomID)
		}
		rooms[evt.RoomID] = append(rooms[evt.RoomID], evt)
	}
	return rooms, order
}

// takeRoom stops at the first event that could not be stored: those after it must not overtake it.
func (g *Gateway) takeRoom(ctx context.Context, events []*event.Event) error {
	for _, evt := range events {
		if err := g.handle(ctx, evt); err != nil {
			g.log.Error("an event of Matrix could not be stored; the homeserver will repeat it",
				slog.String("event", evt.ID.String()), slog.String("room", evt.RoomID.String()), slog.Any("error", g.hush(err)))
			return err
		}
	}
	return nil
}

// answer writes an empty object, or an error (CS "Standard error response").
func answer(w http.ResponseWriter, status int, code, sentence string) {
	body := map[string]string{}
	if code != "" {
		body["errcode"], body["error"] = code, sentence
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An answer that cannot be written is missing at the homeserver, which then repeats its request.
	_ = json.NewEncoder(w).Encode(body)
}
