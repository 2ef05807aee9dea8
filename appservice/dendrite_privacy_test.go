package appservice

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix/id"

	"mailroom/bridge"
)

// sees is everything that a user can read in a room, members and their names included, as the homeserver tells it.
func (u *user) sees(room string) string {
	u.t.Helper()
	text, err := json.Marshal([]any{u.timeline(room), u.members(room), u.state(room)})
	require.NoError(u.t, err)
	return string(text)
}

func (u *user) state(room string) (state []happening) {
	u.try(http.MethodGet, "rooms/"+url.PathEscape(room)+"/state", nil, &state)
	return state
}

func (tr *trial) revokes(t *testing.T, member uuid.UUID) {
	tr.svc.member(tr.session, member, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Revoked, true })
	tr.svc.append(tr.session, bridge.Record{Kind: bridge.KindRevoked, Target: member})
	tr.drain(t)
}

func TestDendriteRedactsWhatWasErased(t *testing.T) {
	tr := newTrial(t)
	tr.bobSays(0, 120)
	tr.svc.says(tr.session, tr.alice.ID, bridge.Web, "Alice stays")
	tr.client.say(tr.room, "carolsword")
	eventually(t, "Carol is not heard", func() bool { return slices.Contains(tr.svc.texts(tr.session), "carolsword") })
	tr.drain(t)
	require.Contains(t, tr.client.sees(tr.room), "Bob (email)")

	tr.svc.erases(tr.session, tr.carol.ID)
	tr.svc.forgets(tr.session, tr.bob.ID)
	tr.drain(t)
	ghost := tr.gateway.ghostOf(tr.bob.ID).String()
	eventually(t, "something is left", func() bool {
		text := tr.client.sees(tr.room)
		return !strings.Contains(text, "Bob") && !strings.Contains(text, "carolsword")
	})
	tr.client.reads(tr.room, "Alice stays")
	require.Equal(t, "leave", tr.client.members(tr.room)[ghost].text("membership"))
	var profile map[string]string
	tr.client.must(http.MethodGet, "profile/"+url.PathEscape(ghost), nil, &profile)
	require.Equal(t, "Guest 2", profile["displayname"])

	redactions := func() int {
		return len(slices.DeleteFunc(tr.client.timeline(tr.room), func(h happening) bool { return h.Type != "m.room.redaction" }))
	}
	before := redactions()
	tr.svc.forget(tr.session, 0)
	tr.gateway = tr.dendrite.gateway(t, tr.svc)
	tr.drain(t)
	require.Equal(t, before, redactions(), "a repeat redacts nothing twice")
	tr.client.reads(tr.room, "Alice stays")
}

func TestDendriteForgetsAnErasedInitiatorsSubject(t *testing.T) {
	tr := newTrial(t)
	tr.svc.says(tr.session, tr.alice.ID, bridge.Web, "alicesword")
	tr.svc.change(tr.session, func(conv *conversation) { conv.room.Session.Subject = "Second draft" })
	tr.svc.append(tr.session, bridge.Record{Kind: bridge.KindSubject, Member: tr.alice.ID})
	tr.drain(t)
	tr.svc.change(tr.session, func(conv *conversation) { conv.room.Session.Subject = "" })
	tr.svc.forgets(tr.session, tr.alice.ID)
	tr.drain(t)
	eventually(t, "something is left", func() bool {
		text := tr.client.sees(tr.room)
		return !slices.ContainsFunc([]string{"Contract", "Second draft", "Alice", "alicesword"}, func(trace string) bool { return strings.Contains(text, trace) })
	})
	require.Equal(t, "Conversation", tr.client.name(tr.room))
}

func TestDendriteRevokedReadsNothingThatWasSaidAfterIt(t *testing.T) {
	tr := newTrial(t)
	tr.bobSays(0, 1)
	tr.drain(t)
	tr.client.reads(tr.room, "Bob 0")
	tr.svc.says(tr.session, tr.bob.ID, bridge.Web, "the last that Carol reads")
	committed := time.Now()
	tr.svc.member(tr.session, tr.carol.ID, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Revoked, true })
	tr.svc.append(tr.session, bridge.Record{Kind: bridge.KindRevoked, Target: tr.carol.ID})
	tr.svc.says(tr.session, tr.bob.ID, bridge.Web, "behind Carol's back")
	tr.drain(t)
	require.Less(t, time.Since(committed), 5*time.Second)
	require.NotContains(t, tr.client.sees(tr.room), "behind Carol's back")
	require.Equal(t, http.StatusForbidden, tr.client.trySay(tr.room, "let me back in"))
}

func TestDendriteOffTheRecord(t *testing.T) {
	server := startDendrite(t)
	svc := newCore()
	g := server.gateway(t, svc)
	alice, carol := person("Alice", "alice@example.org", ""), person("Carol", "carol@example.org", carolID)
	session := svc.start("Secret plan", alice, carol)
	svc.change(session, func(conv *conversation) {
		conv.room.Session.Options = bridge.Options{OffRecord: true, MatrixKeeps: true}
	})
	svc.says(session, alice.ID, bridge.Web, "hush")
	svc.drain(t, g, session)
	client := server.login(t, "carol")
	room := client.accept("Secret plan")
	eventually(t, "Carol's join did not arrive", func() bool { return svc.state(session, carol.ID) == bridge.EndpointJoined })
	messages := client.messages(room)
	require.Len(t, messages, 2)
	require.Contains(t, messages[0], "off the record")
	require.Equal(t, "hush", messages[1])
	var topic struct {
		Topic string `json:"topic"`
	}
	client.must(http.MethodGet, "rooms/"+url.PathEscape(room)+"/state/m.room.topic/", nil, &topic)
	require.Contains(t, topic.Topic, "Off the record")
	require.Equal(t, http.StatusForbidden, client.try(http.MethodPut, "rooms/"+url.PathEscape(room)+"/state/m.room.topic", map[string]string{"topic": "all is kept"}, nil))

	svc.change(session, func(conv *conversation) { conv.room.Session.State = bridge.Over })
	svc.append(session, bridge.Record{Kind: bridge.KindOver})
	svc.drain(t, g, session)
	farewells := func() int {
		return len(only(client.messages(room), "This conversation was off the record and has ended."))
	}
	eventually(t, "nobody says that it is over", func() bool { return farewells() == 1 })
	require.Equal(t, http.StatusForbidden, client.trySay(room, "anybody?"))
	for _, user := range []id.UserID{g.bot, g.ghostOf(alice.ID)} {
		joined, err := g.as(user).JoinedRooms(t.Context())
		require.NoError(t, err)
		require.Empty(t, joined.JoinedRooms, user)
	}

	svc.forget(session, 0)
	svc.drain(t, server.gateway(t, svc), session)
	require.Equal(t, 1, farewells())
}

func TestDendriteNewcomerReadsOnlyWhatFollows(t *testing.T) {
	tr := newTrial(t)
	tr.svc.change(tr.session, func(conv *conversation) { conv.room.Session.Options.NewcomersFromNow = true })
	tr.svc.append(tr.session, bridge.Record{Kind: bridge.KindOptions, Member: tr.alice.ID})
	tr.svc.says(tr.session, tr.bob.ID, bridge.Web, "before Dave's time")
	dave := person("Dave", "dave@example.org", daveID)
	dave.Number = 4
	tr.svc.change(tr.session, func(conv *conversation) {
		dave.FromSeq = int64(len(conv.log))
		conv.room.Members = append(conv.room.Members, dave)
	})
	tr.svc.append(tr.session, bridge.Record{Kind: bridge.KindInvited, Target: dave.ID})
	tr.svc.says(tr.session, tr.bob.ID, bridge.Web, "in Dave's time")
	tr.drain(t)
	tr.client.reads(tr.room, "before Dave's time", "in Dave's time")
	newcomer := tr.login(t, "dave")
	room := newcomer.accept("Contract")
	newcomer.reads(room, "in Dave's time")
}

func TestDendriteShowsGhostsTyping(t *testing.T) {
	tr := newTrial(t)
	tr.bobSays(0, 1)
	tr.drain(t)
	ghost := tr.gateway.ghostOf(tr.bob.ID).String()
	for _, typing := range []bool{true, false} {
		tr.svc.sees(typing, tr.bob.ID, tr.carol.ID)
		require.NoError(t, tr.gateway.showTypingIn(t.Context(), tr.session))
		eventually(t, "Carol does not see it", func() bool { return slices.Contains(tr.client.typing(tr.room), ghost) == typing })
	}
}

// typing is who types in a room.
func (u *user) typing(room string) []string {
	var sync struct {
		Rooms struct {
			Join map[string]struct {
				Ephemeral struct {
					Events []struct {
						Type    string `json:"type"`
						Content struct {
							Users []string `json:"user_ids"`
						} `json:"content"`
					} `json:"events"`
				} `json:"ephemeral"`
			} `json:"join"`
		} `json:"rooms"`
	}
	u.try(http.MethodGet, "sync?timeout=0", nil, &sync)
	var typing []string
	for _, one := range sync.Rooms.Join[room].Ephemeral.Events {
		if one.Type == "m.typing" {
			typing = one.Content.Users
		}
	}
	return typing
}

// What a stranger tries in vain, who knows the room's ID or guesses names. (Dendrite itself tells by its errors that a room ID
// exists; nobody can guess one.)
func TestDendriteTellsStrangersNothing(t *testing.T) {
	tr := newTrial(t)
	tr.bobSays(0, 1)
	tr.drain(t)
	mallory := tr.login(t, "mallory")
	for name, probe := range map[string]struct{ method, path string }{
		"join by room ID":      {http.MethodPost, "join/{}"},
		"join the room":        {http.MethodPost, "rooms/{}/join"},
		"knock":                {http.MethodPost, "knock/{}"},
		"read":                 {http.MethodGet, "rooms/{}/messages?dir=b"},
		"state":                {http.MethodGet, "rooms/{}/state"},
		"name":                 {http.MethodGet, "rooms/{}/state/m.room.name/"},
		"members":              {http.MethodGet, "rooms/{}/members"},
		"joined members":       {http.MethodGet, "rooms/{}/joined_members"},
		"aliases of the room":  {http.MethodGet, "rooms/{}/aliases"},
		"rooms around it":      {http.MethodGet, "rooms/{}/hierarchy"},
		"type":                 {http.MethodPut, "rooms/{}/typing/" + url.PathEscape(mallory.id)},
		"mark as read":         {http.MethodPost, "rooms/{}/read_markers"},
		"say":                  {http.MethodPut, "rooms/{}/send/m.room.message/1"},
		"invite":               {http.MethodPost, "rooms/{}/invite"},
		"give it an alias":     {http.MethodPut, "directory/room/" + url.PathEscape("#mailroom_x:"+testDomain)},
		"list it":              {http.MethodPut, "directory/list/room/{}"},
		"alias of the session": {http.MethodGet, "directory/room/" + url.PathEscape("#mailroom_"+tr.session.String()+":"+testDomain)},
		"guessed alias":        {http.MethodGet, "directory/room/" + url.PathEscape("#mailroom_contract:"+testDomain)},
		"rooms of the server":  {http.MethodGet, "publicRooms"},
		"people of the server": {http.MethodPost, "user_directory/search"},
	} {
		body := map[string]any{"typing": true, "msgtype": "m.text", "body": "x", "user_id": mallory.id, "room_id": tr.room, "search_term": "mailroom"}
		status, text := mallory.answer(probe.method, strings.ReplaceAll(probe.path, "{}", url.PathEscape(tr.room)), body)
		if probe.method != http.MethodGet && name != "people of the server" {
			require.GreaterOrEqual(t, status, 400, name)
		}
		for _, secret := range []string{"Contract", "Bob", "carol", "@mailroom_", tr.session.String()} {
			require.NotContains(t, strings.ReplaceAll(text, "#mailroom_"+tr.session.String(), ""), secret, name)
		}
	}
	require.NotContains(t, tr.client.members(tr.room), mallory.id)
	require.Equal(t, []string{"Bob 0"}, tr.client.messages(tr.room))
}

// Every name of ours that is no ghost answers alike, be somebody of that address in a session or not; and of a ghost nobody
// learns more than its name, which stands in the room.
func TestDendriteAnswersAlikeForAllNames(t *testing.T) {
	tr := newTrial(t)
	tr.bobSays(0, 1)
	tr.drain(t)
	mallory := tr.login(t, "mallory")
	answers := make(map[string]bool)
	for _, name := range []string{"bob=40client.com", "alice=40example.org", "nobody=40client.com", uuid.NewString(), tr.session.String()} {
		status, text := mallory.answer(http.MethodGet, "profile/"+url.PathEscape("@mailroom_"+name+":"+testDomain), nil)
		answers[fmt.Sprint(status, strings.ReplaceAll(text, name, ""))] = true
		require.Equal(t, http.StatusNotFound, status, name)
	}
	require.Len(t, answers, 1)

	ghost := tr.gateway.ghostOf(tr.bob.ID).String()
	for _, who := range []string{ghost, "@mailroom_" + uuid.NewString() + ":" + testDomain} {
		var presence struct {
			Active   bool   `json:"currently_active"`
			Ago      int64  `json:"last_active_ago"` // milliseconds
			Presence string `json:"presence"`
		}
		mallory.must(http.MethodGet, "presence/"+url.PathEscape(who)+"/status", nil, &presence)
		require.False(t, presence.Active, who)
		require.NotEqual(t, "online", presence.Presence, who)
		require.Greater(t, presence.Ago, (365 * 24 * time.Hour).Milliseconds(), "%s was never seen", who)
	}
}

// answer makes a request and returns status and body.
func (u *user) answer(method, path string, body any) (int, string) {
	u.t.Helper()
	var text json.RawMessage
	status := u.ask(method, path, body, &text)
	return status, string(text)
}
