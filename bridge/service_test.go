package bridge_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var (
	ctx   = context.Background()
	alice = bridge.EmailAddress("alice@example.org")
	bob   = bridge.EmailAddress("bob@client.test")
	carol = bridge.EmailAddress("carol@example.org")
)

func newService(t *testing.T, s *store.Store) *bridge.Service {
	t.Helper()
	return newServiceOf(t, s, "this")
}

// newServiceOf is the core of a node.
func newServiceOf(t *testing.T, s *store.Store, node string) *bridge.Service {
	t.Helper()
	return serviceWith(t, s, func(c *bridge.Config) { c.Node = node })
}

func limitedService(t *testing.T, s *store.Store, l bridge.Limits) *bridge.Service {
	t.Helper()
	return serviceWith(t, s, func(c *bridge.Config) { c.Limits = l })
}

func serviceWith(t *testing.T, s bridge.Store, change func(*bridge.Config)) *bridge.Service {
	t.Helper()
	config := bridge.Config{
		Key:         []byte(strings.Repeat("k", 32)),
		Directory:   bridge.Directory{{Email: "*@example.org", Matrix: "@{localpart}:example.org", XMPP: "{localpart}@example.org"}},
		Allow:       bridge.AllowList{"*@example.org", "@*:example.org", "xmpp:*@example.org"},
		Networks:    []bridge.Network{bridge.Web, bridge.Mail, bridge.Matrix, bridge.XMPP},
		MissedAfter: 50 * time.Millisecond, NativeWait: 50 * time.Millisecond, MailHost: "in.example.org", Node: "this",
	}
	change(&config)
	service, err := bridge.NewService(config, s, bridge.NewHub(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return service
}

func by(a bridge.Address) bridge.Identity { return bridge.Identity{Via: bridge.Mail, Address: a} }

func start(t *testing.T, s *bridge.Service, origin string) *bridge.Room {
	t.Helper()
	room, err := s.Start(ctx, bridge.StartRequest{
		By: by(alice), Subject: "Friday plan", Body: bridge.Body{Text: "Shall we?"}, Lang: "en",
		Invitees: []bridge.Invitee{{Address: bob, Name: "Bob"}, {Address: carol}, {Address: bob}, {Address: alice}},
		Origin:   bridge.Origin{Network: bridge.Mail, ID: origin},
	})
	require.NoError(t, err)
	return room
}

func post(s *bridge.Service, session uuid.UUID, i bridge.Identity, origin string) (bridge.Record, error) {
	return s.Post(ctx, bridge.PostRequest{Session: session, By: i, Body: bridge.Body{Text: origin}, Origin: bridge.Origin{Network: i.Via, ID: origin}})
}

func onBoth(t *testing.T, test func(t *testing.T, s *bridge.Service, db *store.Store)) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) { test(t, newService(t, db), db) })
}

func kinds(t *testing.T, s *bridge.Service, session uuid.UUID) (kinds []bridge.Kind) {
	records, err := s.Log(ctx, session, 0, 100)
	require.NoError(t, err)
	for i, r := range records {
		require.Equal(t, int64(i+1), r.Seq)
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

func TestAMailStartsOneSessionHoweverOftenItComes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		room := start(t, s, "<1@x>")
		require.Equal(t, room.Session.ID, start(t, s, "<1@x>").Session.ID)
		require.NotEqual(t, room.Session.ID, start(t, s, "<2@x>").Session.ID)
		require.Len(t, room.Members, 3, "each person once, the initiator not invited")
		require.Equal(t, []bridge.Kind{bridge.KindStarted, bridge.KindInvited, bridge.KindInvited, bridge.KindMessage}, kinds(t, s, room.Session.ID))
	})
}

func TestAColleagueIsOneMemberWithAllTheirAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		room := start(t, s, "<1@x>")
		member, ok := room.ByAddress(bridge.MatrixAddress("@carol:example.org"))
		require.True(t, ok)
		same, ok := room.ByAddress(bridge.JID("carol@example.org/phone"))
		require.True(t, ok)
		require.Equal(t, member.ID, same.ID)
		again, err := s.Room(ctx, start(t, s, "<2@x>").Session.ID)
		require.NoError(t, err)
		other, _ := again.ByAddress(carol)
		require.Equal(t, member.Person, other.Person, "a person is the same in every session")
		require.NotEqual(t, member.ID, other.ID, "a member is not")
	})
}

func TestNobodyWithoutAGrantLearnsThatASessionExists(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		real, none := start(t, s, "<1@x>").Session.ID, uuid.New()
		strangers := []bridge.Identity{
			{}, by(bridge.EmailAddress("mallory@client.test")), {Via: bridge.Matrix, Address: bridge.MatrixAddress("@mallory:example.org")},
			{Via: bridge.Web, Grant: uuid.New()}, {Via: bridge.XMPP, Address: bridge.JID("bob@client.test")},
		}
		for _, who := range strangers {
			for _, session := range []uuid.UUID{real, none} {
				errs := []error{s.Leave(ctx, session, who), s.MarkRead(ctx, session, who, 1), s.Close(ctx, session, who), s.Revoke(ctx, session, who, uuid.New(), false)}
				_, err := post(s, session, who, "hello")
				errs = append(errs, err)
				_, _, err = s.Join(ctx, session, who)
				errs = append(errs, err)
				_, _, err = s.View(ctx, session, who)
				errs = append(errs, err)
				_, err = s.Records(ctx, session, who, 0, 10)
				errs = append(errs, err)
				_, err = s.Invite(ctx, session, who, []bridge.Invitee{{Address: bob}})
				errs = append(errs, err)
				for _, err := range errs {
					require.Equal(t, bridge.NotFound, bridge.CodeOf(err), "%+v: %v", who, err)
				}
			}
		}
		require.Len(t, kinds(t, s, real), 4)
	})
}

func TestARecipientJoinsByAnswering(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := start(t, s, "<1@x>").Session.ID
		_, err := post(s, id, by(bob), "yes")
		require.NoError(t, err)
		again, err := post(s, id, by(bob), "yes")
		require.NoError(t, err)
		require.EqualValues(t, 6, again.Seq, "the repeat is the first one")
		_, _, err = s.Join(ctx, id, by(bob))
		require.NoError(t, err)
		require.Equal(t, []bridge.Kind{bridge.KindJoined, bridge.KindMessage}, kinds(t, s, id)[4:])
		room, err := s.Room(ctx, id)
		require.NoError(t, err)
		require.Len(t, room.Audience(), 2)
	})
}

func TestRevokingEndsReadingWritingAndEveryToken(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		m, _ := room.ByAddress(bob)
		token, err := s.Token(ctx, id, m.ID, bridge.RightJoin)
		require.NoError(t, err)
		holder, err := s.Holder(ctx, bridge.RightJoin, token)
		require.NoError(t, err)
		_, err = s.Holder(ctx, bridge.RightReply, token)
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err), "a token has one right")
		cookie, err := s.Bind(ctx, holder, "Firefox", "")
		require.NoError(t, err)
		web, err := s.Browser(ctx, cookie, id)
		require.NoError(t, err)
		_, _, err = s.Join(ctx, id, web)
		require.NoError(t, err)

		require.Equal(t, bridge.Forbidden, bridge.CodeOf(s.Revoke(ctx, id, web, room.Members[2].ID, false)))
		require.NoError(t, s.Revoke(ctx, id, by(alice), m.ID, false))
		_, err = s.Browser(ctx, cookie, id)
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err))
		_, err = s.Holder(ctx, bridge.RightJoin, token)
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err))
		_, err = post(s, id, by(bob), "still here?")
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err))
		_, err = s.Records(ctx, id, web, 0, 10)
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err))

		_, err = s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		_, err = s.Holder(ctx, bridge.RightJoin, token)
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err), "the old token stays dead")
		fresh, err := s.Token(ctx, id, m.ID, bridge.RightJoin)
		require.NoError(t, err)
		_, err = s.Holder(ctx, bridge.RightJoin, fresh)
		require.NoError(t, err)
	})
}

func TestAClosedSessionIsReadButNotWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := start(t, s, "<1@x>").Session.ID
		require.Equal(t, bridge.Forbidden, bridge.CodeOf(s.Close(ctx, id, by(bob))))
		require.NoError(t, s.Close(ctx, id, by(alice)))
		_, err := post(s, id, by(bob), "late")
		require.Equal(t, bridge.Closed, bridge.CodeOf(err))
		_, err = s.Records(ctx, id, by(bob), 0, 10)
		require.NoError(t, err)
		require.NoError(t, s.Reopen(ctx, id, bridge.Identity{Admin: true}))
		_, err = post(s, id, by(bob), "in time")
		require.NoError(t, err)
	})
}

func TestAReplyWithoutProofIsHeldUntilItsOwnerConfirms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		m, _ := room.ByAddress(bob)
		token, err := s.Token(ctx, id, m.ID, bridge.RightReply)
		require.NoError(t, err)
		reply := func(sender bridge.Address, proved bool, origin string) bool {
			posted, err := s.ReplyByMail(ctx, bridge.MailReply{Token: token, Sender: sender, Authenticated: proved, Post: bridge.PostRequest{
				Body: bridge.Body{Text: origin}, Origin: bridge.Origin{Network: bridge.Mail, ID: origin}}})
			require.NoError(t, err)
			return posted
		}
		require.True(t, reply(bob, true, "proved"))
		other := bridge.EmailAddress("bob@home.test")
		require.False(t, reply(bob, false, "forged?"))
		require.False(t, reply(other, true, "from home"))
		require.False(t, reply(other, true, "from home"), "a repeat is held once")

		mails, err := db.ListMails(ctx, id, m.ID)
		require.NoError(t, err)
		require.Len(t, mails, 2, "one question for each held reply")
		letter, due, err := s.Letter(ctx, mails[1])
		require.NoError(t, err)
		require.True(t, due)
		require.Equal(t, "from home", letter.Held.Body.Text)
		for range 2 {
			_, err = s.ConfirmHeld(ctx, letter.Tokens.Confirm)
			require.NoError(t, err)
		}
		require.True(t, reply(other, false, "known now"))
		_, due, err = s.Letter(ctx, mails[1])
		require.NoError(t, err)
		require.False(t, due, "the question is answered")
		require.Equal(t, []bridge.Kind{bridge.KindJoined, bridge.KindMessage, bridge.KindMessage, bridge.KindMessage}, kinds(t, s, id)[4:])
	})
}

func TestWhoMayNotStartIsToldSo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		_, err := s.Start(ctx, bridge.StartRequest{By: by(bob), Invitees: []bridge.Invitee{{Address: alice}}, Origin: bridge.Origin{Network: bridge.Mail, ID: "x"}})
		require.Equal(t, bridge.Forbidden, bridge.CodeOf(err))
		_, err = s.Start(ctx, bridge.StartRequest{By: by(alice), Origin: bridge.Origin{Network: bridge.Mail, ID: "y"}})
		require.Equal(t, bridge.Invalid, bridge.CodeOf(err))
		var many []bridge.Invitee
		for range bridge.MaxRecipients + 1 {
			many = append(many, bridge.Invitee{Address: bridge.EmailAddress(uuid.NewString() + "@client.test")})
		}
		_, err = s.Start(ctx, bridge.StartRequest{By: by(alice), Invitees: many, Origin: bridge.Origin{Network: bridge.Mail, ID: "z"}})
		require.Equal(t, bridge.TooMany, bridge.CodeOf(err))
		_, err = post(s, start(t, s, "<1@x>").Session.ID, by(alice), strings.Repeat("a", bridge.MaxBody+1))
		require.Equal(t, bridge.TooMany, bridge.CodeOf(err))
	})
}

func TestAccountsAndAPITokensAreFoundByTheirSecretOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		password, err := s.NewAccount(ctx, alice)
		require.NoError(t, err)
		for given, want := range map[string]bool{password: true, "wrong": false, "": false} {
			ok, err := s.CheckAccount(ctx, "Alice@example.org", given)
			require.NoError(t, err)
			require.Equal(t, want, ok)
		}
		ok, err := s.CheckAccount(ctx, "bob@client.test", password)
		require.NoError(t, err)
		require.False(t, ok)
		token, err := s.NewAPIToken(ctx, alice, false)
		require.NoError(t, err)
		who, err := s.APIIdentity(ctx, token)
		require.NoError(t, err)
		require.Equal(t, alice, who.Address)
		_, err = s.APIIdentity(ctx, token+"x")
		require.Equal(t, bridge.NotFound, bridge.CodeOf(err))
	})
}

func TestAnAnswerToAllFindsItsSession(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		room, err := s.Start(ctx, bridge.StartRequest{
			By: by(alice), Invitees: []bridge.Invitee{{Address: bob}}, MessageID: "1@example.org",
			Origin: bridge.Origin{Network: bridge.Mail, ID: "x"},
		})
		require.NoError(t, err)
		session, ok, err := s.Answered(ctx, by(bob), []string{"0@example.org", "1@example.org"})
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, room.Session.ID, session)
		for _, who := range []bridge.Address{carol, bridge.EmailAddress("mallory@client.test")} {
			_, ok, err = s.Answered(ctx, by(who), []string{"1@example.org"})
			require.NoError(t, err)
			require.False(t, ok)
		}
		_, ok, err = s.Answered(ctx, by(bob), []string{""})
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestARepeatIsNoNewAct(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		said, err := post(s, id, by(bob), "once")
		require.NoError(t, err)
		again := func() {
			t.Helper()
			r, err := post(s, id, by(bob), "once")
			require.NoError(t, err)
			require.Equal(t, said.Seq, r.Seq)
		}
		require.NoError(t, s.Leave(ctx, id, by(bob)))
		before := kinds(t, s, id)
		again()
		require.Equal(t, before, kinds(t, s, id), "who has left does not come back by a repeat")
		require.NoError(t, s.Close(ctx, id, by(alice)))
		again()
		member, _ := room.ByAddress(bob)
		require.NoError(t, s.Revoke(ctx, id, by(alice), member.ID, false))
		again()
		_, err = s.Post(ctx, bridge.PostRequest{Session: id, By: by(carol), Body: bridge.Body{Text: "once"}, Origin: said.Origin})
		require.Equal(t, bridge.Closed, bridge.CodeOf(err), "somebody else's origin is no repeat")
	})
}

func TestLateNewsOfAnInvitationChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := start(t, s, "<1@x>").Session.ID
		matrix := bridge.MatrixAddress("@carol:example.org")
		_, _, err := s.Join(ctx, id, bridge.Identity{Via: bridge.Matrix, Address: matrix})
		require.NoError(t, err)
		require.NoError(t, s.SetEndpoint(ctx, id, matrix, bridge.EndpointInvited))
		require.NoError(t, s.SetEndpoint(ctx, id, matrix, bridge.EndpointFailed))
		room, err := s.Room(ctx, id)
		require.NoError(t, err)
		member, _ := room.ByAddress(carol)
		require.True(t, member.JoinedBy(bridge.Matrix))
	})
}

func TestWhoLeftCanBeInvitedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := start(t, s, "<1@x>").Session.ID
		_, _, err := s.Join(ctx, id, by(bob))
		require.NoError(t, err)
		require.NoError(t, s.Leave(ctx, id, by(bob)))
		room, err := s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		member, _ := room.ByAddress(bob)
		require.Equal(t, bridge.Invited, member.State)
		require.Zero(t, member.Grant.Generation, "the links in earlier mails still open it")
	})
}

func TestLabelsThatANetworkCannotCarryAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		id := start(t, s, "<1@x>").Session.ID
		for _, p := range []bridge.PostRequest{
			{Lang: "e\x00n"}, {Lang: strings.Repeat("a", bridge.MaxLang+1)}, {Lang: "<x>"},
			{Origin: bridge.Origin{ID: "a\x00"}}, {Origin: bridge.Origin{ID: "\xff"}}, {Origin: bridge.Origin{ID: strings.Repeat("a", bridge.MaxOrigin+1)}},
		} {
			p.Session, p.By, p.Body.Text = id, by(alice), "x"
			if p.Origin.ID == "" {
				p.Origin = bridge.Origin{Network: bridge.Web, ID: "ok"}
			}
			_, err := s.Post(ctx, p)
			require.Equal(t, bridge.Invalid, bridge.CodeOf(err))
		}
	})
}

func TestHeldRepliesAreBoundAndAskedAboutOnceForEachSender(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		m, _ := room.ByAddress(bob)
		token, err := s.Token(ctx, id, m.ID, bridge.RightReply)
		require.NoError(t, err)
		unsubscribe, err := s.Token(ctx, id, m.ID, bridge.RightUnsubscribe)
		require.NoError(t, err)
		require.NoError(t, s.Unsubscribe(ctx, unsubscribe))
		reply := func(sender, origin string) error {
			_, err := s.ReplyByMail(ctx, bridge.MailReply{Token: token, Sender: bridge.EmailAddress(sender), Post: bridge.PostRequest{
				Body: bridge.Body{Text: origin}, Origin: bridge.Origin{Network: bridge.Mail, ID: origin}}})
			return err
		}
		for i := range bridge.MaxHeld {
			require.NoError(t, reply("bob@home.test", fmt.Sprint("held ", i)))
		}
		require.Equal(t, bridge.TooMany, bridge.CodeOf(reply("bob@home.test", "one too many")))
		mails, err := db.ListMails(ctx, id, m.ID)
		require.NoError(t, err)
		require.Len(t, mails, 1)
		letter, due, err := s.Letter(ctx, mails[0])
		require.NoError(t, err)
		require.True(t, due, "who wants no mails is asked all the same: the reply was accepted")
		_, err = s.ConfirmHeld(ctx, letter.Tokens.Confirm)
		require.NoError(t, err)
		records, err := s.Log(ctx, id, 0, 100)
		require.NoError(t, err)
		var texts []string
		for _, r := range records {
			if r.Kind == bridge.KindMessage && r.Member == m.ID {
				texts = append(texts, r.Body.Text)
			}
		}
		require.Len(t, texts, bridge.MaxHeld)
		require.Equal(t, "held 0", texts[0])
	})
}

func TestANameIsNoAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		room, err := s.Start(ctx, bridge.StartRequest{
			By:       bridge.Identity{Via: bridge.Mail, Address: alice, Name: "boss@example.org"},
			Invitees: []bridge.Invitee{{Address: bob}, {Address: carol, Name: "bob@client.test"}},
			Origin:   bridge.Origin{Network: bridge.Mail, ID: "x"},
		})
		require.NoError(t, err)
		_, err = s.Post(ctx, bridge.PostRequest{
			Session: room.Session.ID, By: bridge.Identity{Via: bridge.Mail, Address: bob, Name: "alice@example.org"},
			Body: bridge.Body{Text: "hi"}, Origin: bridge.Origin{Network: bridge.Mail, ID: "y"},
		})
		require.NoError(t, err)
		room, err = s.Room(ctx, room.Session.ID)
		require.NoError(t, err)
		for _, m := range room.Members {
			require.Empty(t, m.Name)
		}
	})
}
