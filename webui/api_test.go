package webui

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"mailroom/bridge"
)

// links is the links of the oldest mail of an outbox.
func links(t *testing.T, r *http.Response) string {
	t.Helper()
	var mails []struct{ Links json.RawMessage }
	require.NoError(t, json.NewDecoder(r.Body).Decode(&mails))
	return string(mails[len(mails)-1].Links)
}

// apiClient is a client whose token acts as an address.
func apiClient(t *testing.T, fake *fakeService, h http.Handler, name, address string) *visitor {
	a, err := bridge.ParseAddress(address)
	require.NoError(t, err)
	fake.bearers["token-"+name] = bridge.Identity{Via: bridge.Web, Address: a, Name: name}
	v := newVisitor(t, h)
	v.header = http.Header{"Authorization": {"Bearer token-" + name}}
	return v
}

func (v *visitor) call(method, path, body string, status int, into any) {
	v.t.Helper()
	answer := v.send(method, apiPrefix+path, "application/json", body)
	require.Equal(v.t, status, answer.StatusCode)
	if into != nil {
		require.NoError(v.t, json.NewDecoder(answer.Body).Decode(into))
	}
}

func TestAPIDescriptionAgreesWithTheRoutes(t *testing.T) {
	var described struct {
		Paths map[string]map[string]any
	}
	require.NoError(t, yaml.Unmarshal(openAPI, &described))
	var want, got []string
	for _, route := range apiRoutes {
		want = append(want, route.method+" "+route.path)
	}
	for path, methods := range described.Paths {
		for method := range methods {
			if method != "parameters" {
				got = append(got, strings.ToUpper(method)+" "+path)
			}
		}
	}
	require.ElementsMatch(t, want, got)
	answer := newVisitor(t, handler(t, newFake())).get(apiPrefix + "/openapi.yaml")
	require.Equal(t, string(openAPI), body(t, answer))
}

func TestAPIStartsInvitesPostsAndReads(t *testing.T) {
	fake := newFake()
	h := handler(t, fake)
	alice := apiClient(t, fake, h, "Alice", "alice@example.org")
	var session apiSessionView
	alice.call("POST", "/sessions", `{"subject": "Re: Plan", "message": {"html": "<p>Hello <b>all</b></p>"},
		"recipients": ["bob@client.test", {"address": "@dan:example.org", "name": "Dan"}], "client_id": "one"}`, http.StatusCreated, &session)
	require.Equal(t, "Plan", session.Subject)
	require.Len(t, session.Members, 3)
	path := "/sessions/" + session.ID.String()

	var record apiRecord
	alice.call("POST", path+"/messages", `{"text": "At ten", "client_id": "m1"}`, http.StatusCreated, &record)
	again := record
	alice.call("POST", path+"/messages", `{"text": "At ten", "client_id": "m1"}`, http.StatusCreated, &again)
	require.Equal(t, record, again, "the same client id is the same message")

	var page struct {
		Messages []apiRecord
		Next     int64
		More     bool
	}
	alice.call("GET", path+"/messages?after=0&limit=4", "", http.StatusOK, &page)
	require.True(t, page.More)
	require.Equal(t, "Hello all", page.Messages[0].Text)
	page.Messages = nil
	alice.call("GET", path+"/messages?after=4", "", http.StatusOK, &page)
	require.Equal(t, []apiRecord{record}, page.Messages)

	alice.call("POST", path+"/recipients", `{"recipients": ["carol@shop.test"]}`, http.StatusOK, &session)
	require.Len(t, session.Members, 4)
	alice.call("DELETE", path+"/recipients/"+session.Members[3].ID.String(), "", http.StatusNoContent, nil)
	alice.call("GET", path, "", http.StatusOK, &session)
	require.Equal(t, bridge.Revoked, session.Members[3].State)

	alice.call("POST", path+"/close", "", http.StatusNoContent, nil)
	alice.call("POST", path+"/messages", `{"text": "late"}`, http.StatusConflict, nil)
	alice.call("POST", path+"/reopen", "", http.StatusNoContent, nil)
	var list struct{ Sessions []apiSessionView }
	alice.call("GET", "/sessions", "", http.StatusOK, &list)
	require.Len(t, list.Sessions, 1)
}

func TestAPIStartIsFoundAgainByItsKey(t *testing.T) {
	fake := newFake()
	alice := apiClient(t, fake, handler(t, fake), "Alice", "alice@example.org")
	alice.header.Set("Idempotency-Key", "k1")
	var first, second apiSessionView
	alice.call("POST", "/sessions", `{"subject": "x", "recipients": ["bob@client.test"]}`, http.StatusCreated, &first)
	alice.call("POST", "/sessions", `{"subject": "x", "recipients": ["bob@client.test"]}`, http.StatusCreated, &second)
	require.Equal(t, first.ID, second.ID)
}

func TestAPIRefusals(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	h := handler(t, fake)
	eve := apiClient(t, fake, h, "Eve", "eve@evil.test")
	known, unknown := "/sessions/"+room.Session.ID.String(), "/sessions/"+uuid.NewString()
	for _, tail := range []string{"", "/messages", "/events", "/transcript.txt", "/transcript.json"} {
		require.Equal(t, see(t, eve.get(apiPrefix+unknown+tail)), see(t, eve.get(apiPrefix+known+tail)), "strangers see no difference")
	}
	alice := apiClient(t, fake, h, "Alice", "alice@example.org")
	for body, status := range map[string]int{
		`{"text": ""}`:               http.StatusUnprocessableEntity,
		`{"text": "x", "colour": 1}`: http.StatusUnprocessableEntity,
		`{"text": `:                  http.StatusUnprocessableEntity,
		`{"text": "` + strings.Repeat("x", 65<<10) + `"}`:                http.StatusRequestEntityTooLarge,
		`{"text": "x", "client_id": "` + strings.Repeat("x", 129) + `"}`: http.StatusUnprocessableEntity,
	} {
		var answer struct {
			Error struct{ Code, Message string }
		}
		alice.call("POST", known+"/messages", body, status, &answer)
		require.NotEmpty(t, answer.Error.Code)
		require.NotEmpty(t, answer.Error.Message)
	}
	alice.call("POST", "/sessions", `{"recipients": ["nobody"]}`, http.StatusUnprocessableEntity, nil)
	alice.call("POST", "/sessions", `{"recipients": []}`, http.StatusUnprocessableEntity, nil)
	alice.call("GET", "/nothing", "", http.StatusNotFound, nil)
	fake.fail(errDatabase)
	answer := alice.send("POST", apiPrefix+known+"/messages", "application/json", `{"text": "x"}`)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.NotContains(t, body(t, answer), errDatabase.Error())
}

func TestAPITakesBearerTokensOnly(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	v := newVisitor(t, handler(t, fake)).join("bob")
	path := apiPrefix + "/sessions/" + room.Session.ID.String()
	answer := v.get(path)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "a cookie opens no API")
	require.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"))
	for range MaxGuesses {
		v.get(path)
	}
	require.Equal(t, http.StatusTooManyRequests, v.get(path).StatusCode)
}

func TestAPIEventsFollowTheLog(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	fake.bearers["t"] = bridge.Identity{Via: bridge.Web, Address: alice.Address}
	site := newSite(t, fake)
	l := listen(t, site.url+apiPrefix+"/sessions/"+room.Session.ID.String()+"/events?after=3", http.Header{"Authorization": {"Bearer t"}})
	require.Equal(t, "hello", l.next().name)
	require.Equal(t, "4", l.next().id)
	fake.say(room, alice, bridge.Mail, text("live"))
	e := l.next()
	require.Equal(t, "record", e.name)
	require.Contains(t, e.data, `"text":"live"`)
}

func TestTranscripts(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	for range bridge.MaxPage {
		fake.say(room, alice, bridge.Mail, text("one of many"))
	}
	fake.say(room, alice, bridge.Mail, text("the last\nof them"))
	v := apiClient(t, fake, handler(t, fake), "Alice", "alice@example.org")
	path := "/sessions/" + room.Session.ID.String() + "/transcript"
	lines := strings.Split(strings.TrimSpace(body(t, v.get(apiPrefix+path+".txt"))), "\n")
	require.Equal(t, "Friday plan", lines[0])
	require.Contains(t, lines[len(lines)-2], "Alice: the last")
	require.Equal(t, "    of them", lines[len(lines)-1])
	var whole struct {
		Session apiSessionView
		Records []apiRecord
	}
	v.call("GET", path+".json", "", http.StatusOK, &whole)
	require.Len(t, whole.Records, len(fake.records(room.Session.ID)))
}
