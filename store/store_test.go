package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/bridge/outbox"
	"mailroom/store"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	_ bridge.Store = (*store.Store)(nil)
	_ outbox.Queue = (*store.Store)(nil)
)

func TestMain(m *testing.M) { storetest.Main(m) }

var ctx = context.Background()

func newSession(t *testing.T, s *store.Store) uuid.UUID {
	t.Helper()
	id := uuid.New()
	require.NoError(t, s.Write(ctx, id, func(tx bridge.Tx) error {
		return tx.AddSession(ctx, bridge.Session{ID: id, Subject: "Plan", State: bridge.Open, CreatedAt: time.Now()})
	}))
	return id
}

func say(s *store.Store, session uuid.UUID, origin string) (r bridge.Record, repeat bool, err error) {
	err = s.Write(ctx, session, func(tx bridge.Tx) error {
		if _, _, err := tx.LockSession(ctx, session); err != nil {
			return err
		}
		r, repeat, err = tx.Append(ctx, bridge.Record{
			Session: session, ID: uuid.Must(uuid.NewV7()), Kind: bridge.KindMessage, At: time.Now(),
			Origin: bridge.Origin{Network: bridge.Web, ID: origin}, Body: bridge.Body{Text: "said " + origin},
		})
		return err
	})
	return r, repeat, err
}

func TestSeqHasNoGapsAndRepeatsAreFoundWhenManyWriteAtOnce(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		const writers, each = 32, 10
		sessions := []uuid.UUID{newSession(t, s), newSession(t, s), newSession(t, s)}
		var wait sync.WaitGroup
		errs := make(chan error, writers*each*2)
		for w := range writers {
			wait.Go(func() {
				for i := range each {
					for range 2 { // everything is said twice
						_, _, err := say(s, sessions[w%3], fmt.Sprintf("%d-%d", w, i))
						errs <- err
					}
				}
			})
		}
		wait.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		total := 0
		for _, id := range sessions {
			records, err := s.ListRecords(ctx, id, 0, 1000)
			require.NoError(t, err)
			for i, r := range records {
				require.Equal(t, int64(i+1), r.Seq)
			}
			row, _, err := s.GetSession(ctx, id)
			require.NoError(t, err)
			require.Equal(t, int64(len(records)), row.Head)
			total += len(records)
		}
		require.Equal(t, writers*each, total)
	})
}

func TestARepeatReturnsTheFirstRecord(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		id := newSession(t, s)
		first, repeat, err := say(s, id, "a")
		require.NoError(t, err)
		require.False(t, repeat)
		again, repeat, err := say(s, id, "a")
		require.NoError(t, err)
		require.True(t, repeat)
		require.Equal(t, first.ID, again.ID)
		require.Equal(t, first.Seq, again.Seq)
		next, _, err := say(s, id, "b")
		require.NoError(t, err)
		require.Equal(t, first.Seq+1, next.Seq, "a repeat must not use up a seq")
	})
}

func TestAFailedWriteUndoesOnlyItself(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		id := newSession(t, s)
		broken := errors.New("broken on purpose")
		var wait sync.WaitGroup
		for i := range 60 {
			wait.Go(func() {
				switch i % 3 {
				case 0:
					_, _, err := say(s, id, fmt.Sprint(i))
					require.NoError(t, err)
				case 1:
					err := s.Write(ctx, id, func(tx bridge.Tx) error {
						if _, _, err := tx.LockSession(ctx, id); err != nil {
							return err
						}
						if _, _, err := tx.Append(ctx, bridge.Record{Session: id, ID: uuid.New(), Kind: bridge.KindMessage, Origin: bridge.Origin{Network: bridge.Web, ID: fmt.Sprint("undone", i)}}); err != nil {
							return err
						}
						return broken
					})
					require.ErrorIs(t, err, broken)
				case 2:
					err := s.Write(ctx, id, func(bridge.Tx) error { panic("on purpose") })
					require.ErrorContains(t, err, "panicked")
				}
			})
		}
		wait.Wait()
		records, err := s.ListRecords(ctx, id, 0, 1000)
		require.NoError(t, err)
		require.Len(t, records, 20)
		for i, r := range records {
			require.Equal(t, int64(i+1), r.Seq)
			require.NotContains(t, r.Origin.ID, "undone")
		}
	})
}

func TestARecordComesBackAsItWasWritten(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		id := newSession(t, s)
		want := bridge.Record{
			Session: id, ID: uuid.Must(uuid.NewV7()), Kind: bridge.KindMessage, Member: uuid.New(), Target: uuid.New(),
			At: time.Now().UTC().Truncate(time.Microsecond), Origin: bridge.Origin{Network: bridge.Mail, ID: "<a@b> é\u2028"},
			Lang: "sw", Body: bridge.Body{Text: "Habari 🫩", HTML: "<p>Habari</p>"}, Subject: "s", Destination: bridge.ToXMPP,
			Texts: map[string]bridge.Body{"en": {Text: "Hello"}, "fr": {Text: "Salut", HTML: "<p>Salut</p>"}},
		}
		require.NoError(t, s.Write(ctx, id, func(tx bridge.Tx) error {
			if _, _, err := tx.LockSession(ctx, id); err != nil {
				return err
			}
			var err error
			want, _, err = tx.Append(ctx, want)
			return err
		}))
		got, err := s.ListRecords(ctx, id, 0, 10)
		require.NoError(t, err)
		require.Equal(t, []bridge.Record{want}, got)
	})
}

func TestALaneHasOneOwnerUntilItsNodeIsDead(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		id := newSession(t, s)
		require.NoError(t, s.Write(ctx, id, func(tx bridge.Tx) error { return tx.AddLane(ctx, id, bridge.ToMatrix, 0) }))
		lane, ok, err := s.GetLane(ctx, id, bridge.ToMatrix)
		require.NoError(t, err)
		require.True(t, ok)
		_, ok, err = s.AcquireLease(ctx, outbox.NodeLease("a"), "a", time.Minute)
		require.NoError(t, err)
		require.True(t, ok)

		ours, ok, err := s.ClaimLane(ctx, lane, "a")
		require.NoError(t, err)
		require.True(t, ok)
		_, ok, err = s.ClaimLane(ctx, lane, "b")
		require.NoError(t, err)
		require.False(t, ok, "a is alive")

		require.NoError(t, s.ReleaseLease(ctx, outbox.NodeLease("a"), "a"))
		theirs, ok, err := s.ClaimLane(ctx, lane, "b")
		require.NoError(t, err)
		require.True(t, ok)
		require.Greater(t, theirs.Fence, ours.Fence)

		ours.Acked = 7
		require.ErrorIs(t, s.SetLane(ctx, ours), bridge.ErrFenced)
		theirs.Acked = 8
		require.NoError(t, s.SetLane(ctx, theirs))
	})
}

func TestALeaseIsWonByOneAndGoesOnAfterItsTime(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		first, ok, err := s.AcquireLease(ctx, "xmpp", "a", 50*time.Millisecond)
		require.NoError(t, err)
		require.True(t, ok)
		again, ok, err := s.AcquireLease(ctx, "xmpp", "a", 50*time.Millisecond)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, first, again, "a renewal keeps the fence")
		_, ok, err = s.AcquireLease(ctx, "xmpp", "b", time.Minute)
		require.NoError(t, err)
		require.False(t, ok)
		require.Eventually(t, func() bool {
			fence, ok, err := s.AcquireLease(ctx, "xmpp", "b", time.Minute)
			require.NoError(t, err)
			return ok && fence == first+1
		}, 5*time.Second, 10*time.Millisecond)
	})
}

func TestMailsOfOneMemberAreDueInOrder(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, s *store.Store) {
		id, member := newSession(t, s), uuid.New()
		add := func(from int64) bridge.Mailing {
			m := bridge.Mailing{Session: id, ID: uuid.Must(uuid.NewV7()), Member: member, Kind: bridge.LetterMissed, From: from, To: from, State: bridge.MailQueued, CreatedAt: time.Now(), NextTry: time.Now()}
			require.NoError(t, s.Write(ctx, id, func(tx bridge.Tx) (err error) { m, err = tx.AddMail(ctx, m); return err }))
			return m
		}
		first, second := add(1), add(2)
		require.Equal(t, first.ID, add(1).ID, "one mail for one range")
		due, err := s.ListDueMails(ctx, time.Now(), 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.Equal(t, first.ID, due[0].ID)

		fence, ok, err := s.ClaimMail(ctx, first, "a")
		require.NoError(t, err)
		require.True(t, ok)
		first.State = bridge.MailSent
		require.ErrorIs(t, s.SetMail(ctx, first, fence+1), bridge.ErrFenced)
		require.NoError(t, s.SetMail(ctx, first, fence))
		due, err = s.ListDueMails(ctx, time.Now(), 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.Equal(t, second.ID, due[0].ID)
	})
}

func TestOtherNodesHearOfAChange(t *testing.T) {
	url := storetest.NewDatabase(t)
	a, b := storetest.Open(t, url), storetest.Open(t, url)
	listening, stop := context.WithCancel(ctx)
	heard := make(chan uuid.UUID, 100)
	signals := make(chan string, 100)
	done := make(chan error, 1)
	go func() { done <- b.Listen(listening, func(s uuid.UUID) { heard <- s }, func(s string) { signals <- s }) }()
	want := uuid.New()
	require.Eventually(t, func() bool {
		a.Announce(want)
		select {
		case got := <-heard:
			return got == want
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}, 10*time.Second, time.Millisecond)
	a.Spread("bob types")
	require.Equal(t, "bob types", <-signals)
	stop()
	require.NoError(t, <-done)
}

func TestASecondOwnerOfASQLiteFileIsRefused(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/mailroom.db"
	unlock, err := store.Lock(url)
	require.NoError(t, err)
	_, err = store.Lock(url)
	require.ErrorIs(t, err, store.ErrLocked)
	unlock()
	unlock, err = store.Lock(url)
	require.NoError(t, err)
	unlock()
}
