package xmpp

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"mailroom/bridge"
)

func TestNicksOfOurMakingPassEveryServer(t *testing.T) {
	for name, want := range map[string]string{
		"Bob":                        "Bob",
		"  Bob \t the\u00a0Builder ": "Bob the Builder",
		"Zoë Müller":                 "Zoë Müller",
		"Ｂｏｂ ﬁsh":                    "Bob fish",
		"Bob 😀":                      "Bob",
		"👩‍👩‍👧":                      "guest-1234",
		"":                           "guest-1234",
		"\u202eevil\u202c":           "evil",
		"a\nb\x00c":                  "a bc",
		"محمد (2)":                   "محمد",
		"Dan דן":                     "Dan",
		"דן Dan":                     "דן",
		"王小明":                        "王小明",
		"\u0301a":                    "a",
		"bob@client.com/phone":       "bob@client.com/phone",
		strings.Repeat("x", 100):     strings.Repeat("x", MaxNick),
	} {
		require.Equal(t, want, safeNick(name, "guest-1234"), "%q", name)
	}
}

// nickIsSafe is the rule of RFC 3920 appendix B that both servers hold us to.
func nickIsSafe(t require.TestingT, nick string) {
	require.NotEmpty(t, nick)
	require.True(t, utf8.ValidString(nick))
	require.LessOrEqual(t, utf8.RuneCountInString(nick), MaxNick)
	require.Equal(t, strings.TrimSpace(nick), nick)
	require.Equal(t, norm.NFKC.String(nick), nick)
	for _, r := range nick {
		require.True(t, unicode.Is(nickRunes, r), "%U", r)
	}
	if strings.ContainsFunc(nick, isRightToLeft) {
		require.False(t, strings.ContainsFunc(nick, isLeftToRight))
		first, _ := utf8.DecodeRuneInString(nick)
		last, _ := utf8.DecodeLastRuneInString(nick)
		require.True(t, isRightToLeft(first) && isRightToLeft(last), "%q", nick)
	}
}

func FuzzNick(f *testing.F) {
	for _, seed := range []string{"Bob", "محمد (2)", "e\u0301", "\U0001fae9", "דן\u0308 x", "\xff", "ﷺ", "\u1100\u1161"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		nickIsSafe(t, safeNick(name, "guest-0000"))
		require.Equal(t, foldNick(name), foldNick(foldNick(name)), "folding again changes nothing")
	})
}

// Members never share a nick, whatever they are called, and whoever asks for
// another's is told apart.
func TestEveryMemberHasANickOfTheirOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"Bob", "bob", "BOB ", "Bob (2)", "محمد", "محمد (2)", "😀", "", "ｂｏｂ"}), 1, 12).Draw(t, "names")
		r := newRoom(&Component{}, uuid.New())
		session := &bridge.Room{}
		for i, name := range names {
			session.Members = append(session.Members, bridge.Member{ID: uuid.New(), Number: i + 1, Name: name})
		}
		r.session = session
		r.nameAll()
		taken := make(map[string]bool)
		for _, m := range session.Members {
			folded := foldNick(r.nick(m))
			require.False(t, taken[folded], "%q twice", r.nick(m))
			taken[folded] = true
			require.True(t, r.taken(strings.ToUpper(r.nick(m)), uuid.New()))
			require.False(t, r.taken(r.nick(m), m.ID))
		}
	})
}
