package bridge_test

import (
	"context"
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

// counting counts what a look-up of a token reads.
type counting struct {
	*store.Store
	tokens, sessions, members int
}

func (c *counting) GetToken(ctx context.Context, hash string) (bridge.TokenRow, bool, error) {
	c.tokens++
	return c.Store.GetToken(ctx, hash)
}

func (c *counting) GetSession(ctx context.Context, id uuid.UUID) (bridge.Session, bool, error) {
	c.sessions++
	return c.Store.GetSession(ctx, id)
}

func (c *counting) ListMembers(ctx context.Context, session uuid.UUID) ([]bridge.Member, error) {
	c.members++
	return c.Store.ListMembers(ctx, session)
}

// Who asks for a token, by RCPT or by a link, learns nothing from the answer or
// from how much work it took: a token that never was, one that is no more and one
// that is for something else are the same.
func TestTokensThatLeadNowhereTakeOneLookUp(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		counter := &counting{Store: db}
		config := bridge.Config{
			Key: []byte(strings.Repeat("k", 32)), Allow: bridge.AllowList{"*@example.org"},
			Networks: []bridge.Network{bridge.Web, bridge.Mail}, Node: "this",
		}
		s, err := bridge.NewService(config, counter, bridge.NewHub(), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		token := func(a bridge.Address, r bridge.Right) string {
			token, err := s.Token(ctx, id, memberOf(t, s, id, a).ID, r)
			require.NoError(t, err)
			return token
		}
		leadsNowhere := func(name, asked string) error {
			counter.tokens, counter.sessions, counter.members = 0, 0, 0
			_, err := s.Holder(ctx, bridge.RightReply, asked)
			require.Equal(t, bridge.NotFound, codeOf(err), name)
			require.Equal(t, []int{1, 0, 0}, []int{counter.tokens, counter.sessions, counter.members}, name)
			return err
		}
		mine := token(bob, bridge.RightReply)
		_, err = s.Holder(ctx, bridge.RightReply, mine)
		require.NoError(t, err)
		answer := leadsNowhere("unknown", strings.Repeat("a", bridge.TokenLength))
		require.Equal(t, answer, leadsNowhere("of another right", token(carol, bridge.RightBounce)))
		require.NoError(t, s.Revoke(ctx, id, by(alice), memberOf(t, s, id, bob).ID, false))
		require.Equal(t, answer, leadsNowhere("revoked", mine))
		_, err = s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: bob}})
		require.NoError(t, err)
		require.Equal(t, answer, leadsNowhere("of an earlier grant", mine))
		_, err = s.Holder(ctx, bridge.RightReply, token(bob, bridge.RightReply))
		require.NoError(t, err, "who is invited again has new ones")
	})
}

func TestLettersAboutAnAccountStayOutOfTheThread(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		id, m := room.Session.ID, memberOf(t, s, room.Session.ID, bob)
		s.AskSignIn(ctx, bob)
		s.Wait()
		letters := lettersOf(t, s, db, id, m.ID)
		require.Len(t, letters[bridge.LetterSignIn], 1)
		signIn := letters[bridge.LetterSignIn][0]
		require.Empty(t, signIn.References)
		require.NotEmpty(t, signIn.MessageID)
		fence, ok, err := db.ClaimMail(ctx, signIn.Mail, "this")
		require.NoError(t, err)
		require.True(t, ok)
		signIn.Mail.State = bridge.MailSent
		require.NoError(t, db.SetMail(ctx, signIn.Mail, fence))
		require.NoError(t, newMailbox(t, s, db, id, m.ID).step())
		require.Len(t, lettersOf(t, s, db, id, m.ID)[bridge.LetterInvitation], 1)
		require.NotContains(t, lettersOf(t, s, db, id, m.ID)[bridge.LetterInvitation][0].References, signIn.MessageID)
	})
}

// A grant that has run out is found, so that its holder is told so instead of
// hearing that there is no such address.
func TestAReplyToAGrantThatHasRunOutIsToldSo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, _ *store.Store) {
		clock := s.NewClock()
		id := startWith(t, s, "1", bridge.Options{}, bridge.Invitee{Address: bob, ExpiresAt: clock.Now().Add(time.Hour)}).Session.ID
		token, err := s.Token(ctx, id, memberOf(t, s, id, bob).ID, bridge.RightReply)
		require.NoError(t, err)
		clock.Pass(time.Hour)
		for _, proved := range []bool{true, false} {
			reply := bridge.MailReply{Token: token, Sender: bob, Authenticated: proved, Post: bridge.PostRequest{
				Body: bridge.Body{Text: "late"}, Origin: bridge.Origin{Network: bridge.Mail, ID: "late"},
			}}
			_, err = s.ReplyByMail(ctx, reply)
			require.Equal(t, bridge.Closed, codeOf(err))
			require.Contains(t, bridge.SentenceOf(err), "has run out")
		}
	})
}
