package harness

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/mailin/dnstest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Close()
	os.Exit(code)
}

// The people of the harness are tried without Mailroom here, so that what the other tests find is Mailroom's doing.

func peersOnly(t *testing.T) *Site {
	t.Helper()
	return &Site{Stack: startStack(t, stackRequest{secret: "component"})}
}

func TestMatrixUsersTalk(t *testing.T) {
	s := peersOnly(t)
	carol, eve := s.NewMatrixUser(t, "carol"), s.NewMatrixUser(t, "eve")
	var created struct {
		ID string `json:"room_id"`
	}
	require.NoError(t, carol.Call(t.Context(), http.MethodPost, "/createRoom", map[string]any{
		"preset": "private_chat", "name": "Tea", "invite": []string{eve.ID},
	}, &created))
	require.Equal(t, created.ID, eve.Accept(t, "Tea"))
	require.NoError(t, carol.Say(t.Context(), created.ID, "1", "carol-1"))
	require.NoError(t, carol.Say(t.Context(), created.ID, "1", "carol-1"))
	s.Stack.Do(t, "restart dendrite")
	require.NoError(t, eve.Say(t.Context(), created.ID, "2", "eve-1"))
	for _, u := range []*MatrixUser{carol, eve} {
		Eventually(t, func() error {
			seen, brought, err := u.Seen(t.Context(), created.ID)
			if err != nil {
				return err
			}
			require.Empty(t, brought)
			return Same(u.ID, []string{"carol-1", "eve-1"}, seen)
		})
	}
}

func TestXMPPUsersTalk(t *testing.T) {
	s := peersOnly(t)
	const room = "tea@conference." + Domain
	dave, eve := s.NewXMPPUser(t, "dave"), s.NewXMPPUser(t, "eve")
	require.NoError(t, dave.Enter(t.Context(), room, "Dave"))
	_, err := dave.Ask(t.Context(), `<iq type='set' id='%s' to='`+room+`'><query xmlns='http://jabber.org/protocol/muc#owner'>`+
		`<x xmlns='jabber:x:data' type='submit'/></query></iq>`)
	require.NoError(t, err)
	require.NoError(t, eve.Enter(t.Context(), room, "Eve & Co"))
	require.NoError(t, dave.Say(t.Context(), room, "first", "dave-1"))
	require.NoError(t, eve.Say(t.Context(), room, "second", "eve-1"))
	for _, u := range []*XMPPUser{dave, eve} {
		Eventually(t, func() error { return Same(u.JID, []string{"dave-1", "eve-1"}, u.Seen(room)) })
	}
	foreign := s.NewForeignXMPPUser(t, "eve")
	var refusal *StanzaError
	require.ErrorAs(t, foreign.Enter(t.Context(), room, "Eve & Co"), &refusal)
	require.Contains(t, refusal.Stanza.Inner, "conflict")
	s.Stack.Do(t, "restart prosody")
	Eventually(t, dave.Connect)
	require.True(t, dave.Connected())
}

func TestTheSmarthostKeepsMailsOnce(t *testing.T) {
	sink := startSink(t)
	s := &Site{Sink: sink, dns: dnstest.Start(t, dnstest.Zones{}), smtp: startBalancer(t)}
	s.smtp.add(sink.Address)
	alice := s.NewCorrespondent(t, Alice, "Alice")
	letter := alice.Write("Tea", "alice-1 and alice-2", Bob, NewSession)
	require.Equal(t, []string{NewSession}, letter.to)
	sink.SetBusy(true)
	require.ErrorContains(t, s.Send(letter), "451")
	sink.SetBusy(false)
	require.NoError(t, s.Send(letter))
	require.NoError(t, s.Send(letter))
	require.Len(t, sink.Mails(NewSession), 1)
	require.Equal(t, 1, sink.Repeated())
	require.Equal(t, 1, sink.Refused())
	require.Contains(t, string(sink.Mails(NewSession)[0].Raw), "DKIM-Signature")
	require.NotContains(t, letter.Unsigned().text, "DKIM-Signature")
}
