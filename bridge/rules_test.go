package bridge

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAddressesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]Address{
		" Bob@Example.ORG ":       {Mail, "bob@example.org"},
		"mailto:bob@example.org":  {Mail, "bob@example.org"},
		"@Bob:example.org":        {Matrix, "@bob:example.org"},
		"@bob:example.org:8448":   {Matrix, "@bob:example.org:8448"},
		"xmpp:bob@example.org/x":  {XMPP, "bob@example.org"},
		`"odd name"@example.org`:  {},
		"bob":                     {},
		"@bob":                    {},
		"bob@":                    {},
		"bob@exa mple.org":        {},
		"bob@example.org\r\nX: y": {},
	} {
		got, err := ParseAddress(text)
		require.Equal(t, want, got, text)
		require.Equal(t, want.IsZero(), CodeOf(err) == Invalid, text)
		if err == nil {
			again, err := ParseAddress(got.String())
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	}
}

func TestTheDirectoryMapsBothWays(t *testing.T) {
	d := Directory{
		{Email: "boss@example.org", Matrix: "@the-boss:example.org"},
		{Email: "*@example.org", Matrix: "@{localpart}:example.org", XMPP: "{localpart}@xmpp.example.org"},
	}
	boss := []Address{{Mail, "boss@example.org"}, {Matrix, "@the-boss:example.org"}, {XMPP, "boss@xmpp.example.org"}}
	require.Equal(t, boss, d.Addresses(EmailAddress("boss@example.org")))
	require.ElementsMatch(t, boss, d.Addresses(MatrixAddress("@the-boss:example.org")))
	require.ElementsMatch(t, []Address{{Mail, "amy@example.org"}, {Matrix, "@amy:example.org"}, {XMPP, "amy@xmpp.example.org"}}, d.Addresses(JID("amy@xmpp.example.org")))
	require.Equal(t, []Address{{Mail, "bob@client.test"}}, d.Addresses(EmailAddress("bob@client.test")))
	require.Equal(t, []Address{{Matrix, "@bob:other.test"}}, d.Addresses(MatrixAddress("@bob:other.test")))
}

func TestTheAllowListKnowsEachNetwork(t *testing.T) {
	l := AllowList{"*@example.org", "@*:example.org", "xmpp:*@example.org"}
	for a, want := range map[Address]bool{
		{Mail, "a@example.org"}: true, {Mail, "a@sub.example.org"}: false, {Mail, "@example.org"}: false,
		{XMPP, "@example.org"}: false, {Matrix, "@a:example.org"}: true, {Matrix, "@a:evil.test"}: false, {XMPP, "a@example.org"}: true, {XMPP, "a@evil.test"}: false,
	} {
		require.Equal(t, want, l.Allows(a), a)
	}
}

func TestAnEmailPatternAdmitsNoJID(t *testing.T) {
	require.False(t, AllowList{"*@example.org"}.Allows(JID("a@example.org")))
	require.False(t, AllowList{"xmpp:*@example.org"}.Allows(EmailAddress("a@example.org")))
}

func TestALineForADomainDoesNotOverrideSomebodysOwn(t *testing.T) {
	d := Directory{
		{Email: "bob@example.org", Matrix: "@robert:example.org"},
		{Email: "*@example.org", Matrix: "@{localpart}:example.org"},
	}
	require.Equal(t, []Address{{Matrix, "@bob:example.org"}}, d.Addresses(MatrixAddress("@bob:example.org")), "@bob is not the Bob of the table")
	require.Equal(t, []Address{{Matrix, "@robert:example.org"}, {Mail, "bob@example.org"}}, d.Addresses(MatrixAddress("@robert:example.org")))
}

func TestEqualNamesAreToldApartByNumber(t *testing.T) {
	room := &Room{Members: []Member{{Number: 1, Name: "Bob"}, {Number: 2, Name: "bob"}, {Number: 3, Address: EmailAddress("bob@x")}, {Number: 4, Name: "Eve"}}}
	var names []string
	for _, m := range room.Members {
		names = append(names, room.DisplayName(m))
	}
	require.Equal(t, []string{"Bob", "bob (2)", "bob (3)", "Eve"}, names)
}

func TestEveryListenerHearsOfEverySession(t *testing.T) {
	h := NewHub()
	heard := 0
	for range 2 {
		h.OnPublish(func(uuid.UUID) { heard++ })
	}
	h.Publish(uuid.New())
	require.Equal(t, 2, heard)
}

func TestAHintIsNeverLostAndNeverBlocks(t *testing.T) {
	h := NewHub()
	var id [16]byte
	changed, cancel := h.Subscribe(id)
	for range 3 {
		h.Publish(id)
	}
	<-changed
	select {
	case <-changed:
		t.Fatal("three hints before one look are one hint")
	default:
	}
	cancel()
	h.Publish(id)
	require.Empty(t, h.sessions)
}
