package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// mailbox drains one member's mail lane by hand.
type mailbox struct {
	t       *testing.T
	service *bridge.Service
	db      *store.Store
	lane    bridge.Lane
	planner *bridge.MailPlanner
}

func newMailbox(t *testing.T, s *bridge.Service, db *store.Store, session, member uuid.UUID) *mailbox {
	lane, ok, err := db.GetLane(ctx, session, bridge.ToMail(member))
	require.NoError(t, err)
	require.True(t, ok)
	return &mailbox{t, s, db, lane, bridge.NewMailPlanner(s, func() {})}
}

// step lets the planner look at what is new, and returns its error.
func (m *mailbox) step() error {
	records, err := m.service.Log(ctx, m.lane.Session, m.lane.Acked, 100)
	require.NoError(m.t, err)
	if len(records) == 0 {
		return nil
	}
	accepted, err := m.planner.Deliver(ctx, m.lane, records)
	if accepted > 0 {
		m.lane.Acked = records[accepted-1].Seq
	}
	return err
}

func (m *mailbox) mails() (kinds []bridge.LetterKind) {
	mails, err := m.db.ListMails(ctx, m.lane.Session, m.lane.Destination.Member())
	require.NoError(m.t, err)
	for _, mail := range mails {
		kinds = append(kinds, mail.Kind)
	}
	return kinds
}

// until steps until the planner has nothing to wait for.
func (m *mailbox) until() {
	require.Eventually(m.t, func() bool { return m.step() == nil }, 5*time.Second, 5*time.Millisecond)
}

func TestAnEmailOnlyRecipientIsInvitedAtOnceAndThenLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		member, _ := room.ByAddress(bob)
		box := newMailbox(t, s, db, room.Session.ID, member.ID)
		require.NoError(t, box.step())
		require.Equal(t, []bridge.LetterKind{bridge.LetterInvitation}, box.mails())

		_, err := post(s, room.Session.ID, by(alice), "are you there?")
		require.NoError(t, err)
		var wait *bridge.WaitError
		require.ErrorAs(t, box.step(), &wait)
		require.True(t, wait.Until.IsZero(), "who has not answered gets nothing more")
	})
}

func TestTheMailFollowsWhenNoNativeInvitationIsAnswered(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		member, _ := room.ByAddress(carol)
		box := newMailbox(t, s, db, room.Session.ID, member.ID)
		require.Error(t, box.step())
		require.Empty(t, box.mails())
		box.until()
		require.Equal(t, []bridge.LetterKind{bridge.LetterInvitation}, box.mails())
	})
}

func TestTheMailFollowsAtOnceWhenNoAccountExists(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		member, _ := room.ByAddress(carol)
		for _, e := range member.Endpoints {
			if e.Address.Network != bridge.Mail {
				require.NoError(t, s.SetEndpoint(ctx, room.Session.ID, e.Address, bridge.EndpointFailed))
			}
		}
		box := newMailbox(t, s, db, room.Session.ID, member.ID)
		require.NoError(t, box.step())
		require.Equal(t, []bridge.LetterKind{bridge.LetterInvitation}, box.mails())
	})
}

func TestWhoIsInsideNativelyGetsNoMail(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		member, _ := room.ByAddress(carol)
		_, _, err := s.Join(ctx, room.Session.ID, bridge.Identity{Via: bridge.Matrix, Address: bridge.MatrixAddress("@carol:example.org")})
		require.NoError(t, err)
		box := newMailbox(t, s, db, room.Session.ID, member.ID)
		_, err = post(s, room.Session.ID, by(alice), "hello")
		require.NoError(t, err)
		require.NoError(t, box.step())
		require.Empty(t, box.mails())
	})
}

func TestABurstIsOneMailAndReadingCancelsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		now := time.Now()
		s.SetClock(func() time.Time { return now })
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		member, _ := room.ByAddress(bob)
		box := newMailbox(t, s, db, id, member.ID)
		require.NoError(t, box.step())
		_, err := post(s, id, by(bob), "I am here")
		require.NoError(t, err)
		for _, text := range []string{"one", "two", "three"} {
			_, err := post(s, id, by(alice), text)
			require.NoError(t, err)
		}
		require.Error(t, box.step(), "the first unread message sets the deadline")
		now = now.Add(time.Minute)
		require.NoError(t, box.step())
		require.Equal(t, []bridge.LetterKind{bridge.LetterInvitation, bridge.LetterMissed}, box.mails())
		mails, err := db.ListMails(ctx, id, member.ID)
		require.NoError(t, err)
		letter, due, err := s.Letter(ctx, mails[1])
		require.NoError(t, err)
		require.True(t, due)
		require.Len(t, letter.Records, 3, "what others said, the reader's own words not")

		last, err := post(s, id, by(alice), "four")
		require.NoError(t, err)
		require.NoError(t, s.MarkRead(ctx, id, by(bob), last.Seq))
		now = now.Add(time.Minute)
		require.NoError(t, box.step())
		require.Len(t, box.mails(), 2)
		_, due, err = s.Letter(ctx, mails[1])
		require.NoError(t, err)
		require.False(t, due, "it was read before it was sent")
	})
}

func TestWhatIsSaidBeforeTheInitiatorsFirstMailIsMissedToo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		_, err := post(s, room.Session.ID, by(bob), "quick answer")
		require.NoError(t, err)
		box := newMailbox(t, s, db, room.Session.ID, room.Initiator().ID)
		require.NoError(t, box.step())
		box.until()
		require.Equal(t, []bridge.LetterKind{bridge.LetterStarted, bridge.LetterMissed}, box.mails())
		mails, err := db.ListMails(ctx, room.Session.ID, room.Initiator().ID)
		require.NoError(t, err)
		letter, due, err := s.Letter(ctx, mails[1])
		require.NoError(t, err)
		require.True(t, due)
		require.Equal(t, "quick answer", letter.Records[0].Body.Text)
	})
}

func TestTheInitiatorOfAMailGetsTheirOwnLink(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		box := newMailbox(t, s, db, room.Session.ID, room.Initiator().ID)
		require.NoError(t, box.step())
		require.Equal(t, []bridge.LetterKind{bridge.LetterStarted}, box.mails())
		mails, err := db.ListMails(ctx, room.Session.ID, room.Initiator().ID)
		require.NoError(t, err)
		letter, due, err := s.Letter(ctx, mails[0])
		require.NoError(t, err)
		require.True(t, due)
		again, _, err := s.Letter(ctx, mails[0])
		require.NoError(t, err)
		require.Equal(t, letter.MessageID, again.MessageID, "every try has the same Message-ID")
		require.Equal(t, letter.Tokens, again.Tokens)
	})
}

func TestUnsubscribingEndsMailsOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		member, _ := room.ByAddress(bob)
		token, err := s.Token(ctx, id, member.ID, bridge.RightUnsubscribe)
		require.NoError(t, err)
		require.NoError(t, s.Unsubscribe(ctx, token))
		box := newMailbox(t, s, db, id, member.ID)
		require.NoError(t, box.step())
		require.Empty(t, box.mails())
		_, err = post(s, id, by(bob), "still talking")
		require.NoError(t, err)
	})
}

func TestWhoIsInvitedLaterIsMailedWhatWasSaidBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		id := start(t, s, "<1@x>").Session.ID
		for i := range 120 {
			_, err := post(s, id, by(alice), fmt.Sprint(i))
			require.NoError(t, err)
		}
		eve := bridge.EmailAddress("eve@client.test")
		room, err := s.Invite(ctx, id, by(alice), []bridge.Invitee{{Address: eve}})
		require.NoError(t, err)
		member, _ := room.ByAddress(eve)
		box := newMailbox(t, s, db, id, member.ID)
		require.NoError(t, box.step())
		require.Equal(t, []bridge.LetterKind{bridge.LetterInvitation}, box.mails())
		mails, err := db.ListMails(ctx, id, member.ID)
		require.NoError(t, err)
		letter, due, err := s.Letter(ctx, mails[0])
		require.NoError(t, err)
		require.True(t, due)
		require.Len(t, letter.Records, bridge.MaxLetterRecords)
		require.Equal(t, "119", letter.Records[len(letter.Records)-1].Body.Text)
	})
}

func TestEachMissedMessageIsInOneMailHoweverManyThereAre(t *testing.T) {
	onBoth(t, func(t *testing.T, s *bridge.Service, db *store.Store) {
		room := start(t, s, "<1@x>")
		id := room.Session.ID
		member, _ := room.ByAddress(bob)
		box := newMailbox(t, s, db, id, member.ID)
		require.NoError(t, box.step())
		_, err := post(s, id, by(bob), "here")
		require.NoError(t, err)
		const said = 250
		for i := range said {
			_, err := post(s, id, by(alice), fmt.Sprint(i))
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool {
			if err := box.step(); err != nil {
				return false
			}
			row, _, err := db.GetSession(ctx, id)
			require.NoError(t, err)
			return box.lane.Acked == row.Head
		}, 10*time.Second, time.Millisecond)
		mails, err := db.ListMails(ctx, id, member.ID)
		require.NoError(t, err)
		var texts []string
		for _, m := range mails[1:] {
			letter, due, err := s.Letter(ctx, m)
			require.NoError(t, err)
			require.True(t, due)
			for _, r := range letter.Records {
				texts = append(texts, r.Body.Text)
			}
		}
		require.Len(t, texts, said)
		for i, text := range texts {
			require.Equal(t, fmt.Sprint(i), text)
		}
	})
}
