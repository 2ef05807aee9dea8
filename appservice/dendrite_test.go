package appservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// A session with one email-only person and one on Matrix.
func TestDendriteTalksBothWays(t *testing.T) {
	server := startDendrite(t)
	svc := newCore()
	g := server.gateway(t, svc)
	alice, bob, carol := person("Alice", "alice@example.org", ""), person("Bob", "bob@client.com", ""), person("Carol", "carol@example.org", "@carol:example.org")
	session := svc.start("Contract", alice, bob, carol)
	svc.says(session, alice.ID, bridge.Mail, "Shall we sign?")
	svc.drain(t, g, session)
	require.Equal(t, bridge.EndpointInvited, svc.state(session, carol.ID))

	client := server.login(t, "carol")
	room := client.accept("Contract")
	eventually(t, "Carol's join did not arrive", func() bool { return svc.state(session, carol.ID) == bridge.EndpointJoined })
	client.reads(room, "Shall we sign?")

	for i := range 20 {
		client.say(room, fmt.Sprintf("from Matrix %d", i))
		svc.says(session, bob.ID, bridge.Web, fmt.Sprintf("from the page %d", i))
		svc.drain(t, g, session)
	}
	eventually(t, "not everything arrived", func() bool { return len(svc.texts(session)) == 41 })
	svc.drain(t, g, session)

	var fromPage, fromMatrix []string
	for i := range 20 {
		fromPage = append(fromPage, fmt.Sprintf("from the page %d", i))
		fromMatrix = append(fromMatrix, fmt.Sprintf("from Matrix %d", i))
	}
	client.reads(room, append([]string{"Shall we sign?"}, fromPage...)...)
	require.Equal(t, fromMatrix, only(svc.texts(session), "from Matrix"))
	members := client.members(room)
	require.Equal(t, "Bob (email)", members[g.ghostOf(bob.ID).String()].text("displayname"))
	require.Equal(t, "Alice (email)", members[g.ghostOf(alice.ID).String()].text("displayname"))
	require.NotContains(t, members, g.ghostOf(carol.ID).String(), "a native member needs no ghost")
}

// only keeps the texts that begin with a prefix.
func only(texts []string, prefix string) []string {
	var kept []string
	for _, text := range texts {
		if len(text) >= len(prefix) && text[:len(prefix)] == prefix {
			kept = append(kept, text)
		}
	}
	return kept
}

// trial is a session with Alice by mail, Bob by mail and Carol on a real homeserver, who has joined.
type trial struct {
	*dendrite
	svc               *core
	gateway           *Gateway
	session           uuid.UUID
	alice, bob, carol bridge.Member
	client            *user
	room              string
}

func newTrial(t *testing.T) *trial {
	tr := &trial{dendrite: startDendrite(t), svc: newCore()}
	tr.gateway = tr.dendrite.gateway(t, tr.svc)
	tr.alice, tr.bob, tr.carol = person("Alice", "alice@example.org", ""), person("Bob", "bob@client.com", ""), person("Carol", "carol@example.org", carolID)
	tr.session = tr.svc.start("Contract", tr.alice, tr.bob, tr.carol)
	tr.svc.drain(t, tr.gateway, tr.session)
	tr.client = tr.login(t, "carol")
	tr.room = tr.client.accept("Contract")
	eventually(t, "Carol's join did not arrive", func() bool { return tr.svc.state(tr.session, tr.carol.ID) == bridge.EndpointJoined })
	return tr
}

func (tr *trial) drain(t *testing.T) {
	t.Helper()
	tr.svc.drain(t, tr.gateway, tr.session)
}

// bobSays lets Bob say numbered things and returns them.
func (tr *trial) bobSays(from, to int) (texts []string) {
	for i := from; i < to; i++ {
		text := fmt.Sprintf("Bob %d", i)
		tr.svc.says(tr.session, tr.bob.ID, bridge.Web, text)
		texts = append(texts, text)
	}
	return texts
}

func TestDendriteShowsARepeatedDeliveryOnce(t *testing.T) {
	tr := newTrial(t)
	texts := tr.bobSays(0, 30)
	tr.drain(t)
	for _, between := range []string{"", "restart", "kill"} {
		switch between {
		case "restart":
			tr.command(t, "restart")
		case "kill":
			tr.command(t, "kill")
			tr.command(t, "start")
		}
		tr.svc.forget(tr.session, 0)
		tr.gateway = tr.dendrite.gateway(t, tr.svc)
		tr.drain(t)
		tr.client.reads(tr.room, texts...)
	}
}

// Each crash of ours cuts a request off in the middle, forgets what was accepted, and is followed at once by a new start.
func TestDendriteShowsNothingTwiceHoweverOftenWeCrash(t *testing.T) {
	tr := newTrial(t)
	before := int64(len(tr.svc.records(tr.session, 0)))
	texts := tr.bobSays(0, 150)
	crashes := 0
	for life := 200 * time.Millisecond; ; life += 50 * time.Millisecond {
		ctx, crash := context.WithTimeout(t.Context(), life)
		err := tr.svc.deliver(ctx, tr.dendrite.gateway(t, tr.svc), tr.session)
		crash()
		if err == nil {
			break
		}
		crashes++
		tr.svc.forget(tr.session, before)
	}
	require.Greater(t, crashes, 3)
	tr.client.reads(tr.room, texts...)
}

func TestDendriteKilledInTheMiddleLosesNothing(t *testing.T) {
	tr := newTrial(t)
	texts := tr.bobSays(0, 300)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		tr.drain(t)
	}()
	for i := range 3 {
		eventually(t, "nothing moves", func() bool { return len(tr.client.messages(tr.room)) > 50*(i+1) })
		tr.command(t, "kill")
		tr.command(t, "start")
	}
	<-delivered
	tr.client.reads(tr.room, texts...)
}

func TestDendriteRepeatsWhatCouldNotBeStored(t *testing.T) {
	tr := newTrial(t)
	tr.svc.fail(errors.New("the disk is full"))
	tr.client.say(tr.room, "one")
	tr.client.say(tr.room, "two")
	tr.pushes.waitFailed(t)
	tr.svc.fail(nil)
	eventually(t, "the homeserver does not repeat", func() bool { return len(tr.svc.texts(tr.session)) == 2 })
	require.Equal(t, []string{"one", "two"}, tr.svc.texts(tr.session))
}

func TestDendriteKeepsWhatIsSaidWhileWeAreAway(t *testing.T) {
	tr := newTrial(t)
	unavailable := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	tr.pushes.connect(t, unavailable)
	tr.client.say(tr.room, "are you there?")
	tr.pushes.waitFailed(t)
	tr.command(t, "kill")
	tr.command(t, "start")
	tr.gateway = tr.dendrite.gateway(t, tr.svc)
	eventually(t, "the homeserver does not repeat", func() bool { return len(tr.svc.texts(tr.session)) == 1 })
}

func TestDendriteFollowsTheSession(t *testing.T) {
	tr := newTrial(t)
	ghost := tr.gateway.ghostOf(tr.bob.ID).String()
	record := func(kind bridge.Kind, member, target uuid.UUID) {
		tr.svc.append(tr.session, bridge.Record{Kind: kind, Member: member, Target: target, Origin: bridge.Origin{Network: bridge.Web}})
		tr.drain(t)
	}
	sees := func(user, membership string) {
		t.Helper()
		eventually(t, user+" is not seen as "+membership, func() bool { return tr.client.members(tr.room)[user].text("membership") == membership })
	}
	sees(ghost, "invite")
	record(bridge.KindJoined, tr.bob.ID, uuid.Nil)
	sees(ghost, "join")
	record(bridge.KindLeft, tr.bob.ID, uuid.Nil)
	sees(ghost, "leave")

	tr.svc.change(tr.session, func(conv *conversation) { conv.room.Session.Subject = "Second draft" })
	record(bridge.KindSubject, tr.alice.ID, uuid.Nil)
	eventually(t, "the room keeps its name", func() bool { return tr.client.name(tr.room) == "Second draft" })

	record(bridge.KindClosed, tr.alice.ID, uuid.Nil)
	require.Equal(t, http.StatusForbidden, tr.client.trySay(tr.room, "one more thing"))
	record(bridge.KindReopened, tr.alice.ID, uuid.Nil)
	require.Equal(t, http.StatusOK, tr.client.trySay(tr.room, "as I said"))
	eventually(t, "Carol is not heard", func() bool { return slices.Contains(tr.svc.texts(tr.session), "as I said") })

	tr.svc.member(tr.session, tr.carol.ID, func(m *bridge.Member) { m.State, m.Grant.Revoked = bridge.Revoked, true })
	record(bridge.KindRevoked, tr.alice.ID, tr.carol.ID)
	require.Equal(t, http.StatusForbidden, tr.client.trySay(tr.room, "let me back in"))
	require.Equal(t, http.StatusForbidden, tr.client.try(http.MethodPost, "join/"+url.PathEscape(tr.room), map[string]any{}, nil))
}

func TestDendriteNameThatOnlyTheInitiatorMayChange(t *testing.T) {
	tr := newTrial(t)
	tr.client.must(http.MethodPut, "rooms/"+url.PathEscape(tr.room)+"/state/m.room.name", map[string]any{"name": "Carol's room"}, nil)
	eventually(t, "the name is not put back", func() bool { return tr.client.name(tr.room) == "Contract" })
}

func TestDendriteStrangersGetNowhere(t *testing.T) {
	tr := newTrial(t)
	tr.drain(t)
	mallory := tr.login(t, "mallory")
	require.Equal(t, http.StatusForbidden, mallory.try(http.MethodPost, "join/"+url.PathEscape(tr.room), map[string]any{}, nil))
	require.Empty(t, mallory.timeline(tr.room))
	require.Equal(t, http.StatusForbidden, tr.client.try(http.MethodPost, "rooms/"+url.PathEscape(tr.room)+"/invite", map[string]any{"user_id": mallory.id}, nil))

	for _, alias := range []string{tr.session.String(), "contract", "guess"} {
		path := "directory/room/" + url.PathEscape("#mailroom_"+alias+":"+testDomain)
		require.Equal(t, http.StatusNotFound, mallory.try(http.MethodGet, path, nil, nil), alias)
	}
	for _, who := range []string{"bob=40client.com", "nobody=40client.com", uuid.NewString()} {
		path := "profile/" + url.PathEscape("@mailroom_"+who+":"+testDomain)
		require.Equal(t, http.StatusNotFound, mallory.try(http.MethodGet, path, nil, nil), who)
	}
	var rooms struct {
		Chunk []any `json:"chunk"`
	}
	mallory.must(http.MethodGet, "publicRooms", nil, &rooms)
	require.Empty(t, rooms.Chunk)
	var found struct {
		Results []any `json:"results"`
	}
	mallory.must(http.MethodPost, "user_directory/search", map[string]any{"search_term": "Bob"}, &found)
	require.Empty(t, found.Results)
	require.NotEqual(t, http.StatusOK, mallory.try(http.MethodPost, "register", map[string]any{
		"username": "mailroom_mallory", "password": password, "auth": map[string]string{"type": "m.login.dummy"},
	}, nil), "our names are reserved")
}

func TestDendriteRefusesForeignRooms(t *testing.T) {
	tr := newTrial(t)
	mallory := tr.login(t, "mallory")
	for _, ours := range []string{tr.gateway.bot.String(), tr.gateway.ghostOf(tr.bob.ID).String()} {
		var made struct {
			Room string `json:"room_id"`
		}
		mallory.must(http.MethodPost, "createRoom", map[string]any{"invite": []string{ours}}, &made)
		eventually(t, ours+" does not refuse", func() bool { return mallory.members(made.Room)[ours].text("membership") == "leave" })
	}
}

func TestDendriteKnowsUs(t *testing.T) {
	tr := newTrial(t)
	require.NoError(t, tr.gateway.Check(t.Context()))
	require.NoError(t, tr.gateway.leaveOrphans(t.Context()))
	require.Equal(t, "join", tr.client.members(tr.room)[tr.gateway.bot.String()].text("membership"))

	unknown := tr.dendrite.gateway(t, tr.svc)
	unknown.registration = NewRegistration(Config{Domain: testDomain}, "http://127.0.0.1:1")
	require.ErrorContains(t, unknown.Check(t.Context()), "as_token")
}

func TestDendriteTakesALongText(t *testing.T) {
	tr := newTrial(t)
	text := strings.Repeat("\"é\\\n", 30_000)
	tr.svc.says(tr.session, tr.bob.ID, bridge.Web, text)
	tr.drain(t)
	eventually(t, "the text is not whole", func() bool {
		return strings.TrimSpace(strings.Join(tr.client.messages(tr.room), "\n")) == strings.TrimSpace(text)
	})
}
