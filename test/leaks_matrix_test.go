package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"mailroom/test/harness"
)

// matrixProbe asks the homeserver as a user of it.
func matrixProbe(who *harness.MatrixUser, name, method, path string, body any, exists, missing string) probe {
	return probe{name: name, exists: exists, missing: missing, timed: true, ask: func(ctx context.Context, thing string) (any, error) {
		return matrixAnswer(who.Call, ctx, method, strings.ReplaceAll(path, "THING", url.PathEscape(thing)), body, thing)
	}}
}

func matrixAnswer(call func(context.Context, string, string, any, any) error, ctx context.Context, method, path string, body any, thing string) (any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	text = []byte(strings.ReplaceAll(string(text), "THING", thing))
	var found json.RawMessage
	err = call(ctx, method, path, json.RawMessage(text), &found)
	var refusal *harness.MatrixError
	if err != nil && !errors.As(err, &refusal) {
		return nil, err
	}
	return strings.ReplaceAll(since.ReplaceAllString(fmt.Sprint(string(found), err), ""), thing, "THING"), nil
}

// since is how long ago somebody was there of whom nothing is known: the time since 1970.
var since = regexp.MustCompile(`"last_active_ago":[0-9]+,`)

func matrixLeaks(t *testing.T, l *leaksOf) {
	at := ":" + harness.Domain
	for _, who := range []outsider{l.eve, l.mallory} {
		for _, r := range []struct {
			name, method, path string
			body               any
			exists, missing    string
		}{
			{"profile of an address", http.MethodGet, "/profile/@mailroom_THING" + at, nil, "bob=40mailbox.test", "nob=40mailbox.test"},
			{"display name of an address", http.MethodGet, "/profile/@mailroom_THING" + at + "/displayname", nil, "bob=40mailbox.test", "nob=40mailbox.test"},
			{"presence of an address", http.MethodGet, "/presence/@mailroom_THING" + at + "/status", nil, "bob=40mailbox.test", "nob=40mailbox.test"},
			{"alias of a session", http.MethodGet, "/directory/room/%23mailroom_THING" + at, nil, l.session, uuid.NewString()},
			{"join by alias", http.MethodPost, "/join/%23mailroom_THING" + at, struct{}{}, l.session, uuid.NewString()},
			{"user directory, session", http.MethodPost, "/user_directory/search", map[string]string{"search_term": "THING"}, l.session, uuid.NewString()},
			{"user directory, address", http.MethodPost, "/user_directory/search", map[string]string{"search_term": "THING"}, "bob=40mailbox.test", "nob=40mailbox.test"},
			{"room directory", http.MethodPost, "/publicRooms", map[string]any{"filter": map[string]string{"generic_search_term": "THING"}}, subject, "Tea on Sunday"},
		} {
			matrixProbe(who.matrix, r.name+", "+who.name, r.method, r.path, r.body, r.exists, r.missing).try(t)
		}
	}
	appserviceLeaks(t, l)
}

// appserviceLeaks: somebody who reaches the port that is for the homeserver alone.
func appserviceLeaks(t *testing.T, l *leaksOf) {
	base := "http://" + l.site.Appservice() + "/_matrix/app/v1"
	wrong := http.Header{"Authorization": {"Bearer " + l.eve.token}}
	user := "/users/@mailroom_THING:" + harness.Domain
	httpProbe("!user query by a stranger", http.MethodGet, base+user, wrong, "", "bob=40mailbox.test", "nob=40mailbox.test").try(t)
	httpProbe("!room query by a stranger", http.MethodGet, base+"/rooms/%23mailroom_THING:"+harness.Domain, wrong, "", l.session, uuid.NewString()).try(t)
}
