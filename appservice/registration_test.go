package appservice

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegistrationReservesNamesExactly(t *testing.T) {
	r := NewRegistration(Config{Domain: "a.example", Listen: "127.0.0.1:29300"}, "")
	for name, reserved := range map[string]bool{
		"@mailroom:a.example":        true,
		"@mailroom_x:a.example":      true,
		"@mailroomx:a.example":       false,
		"@mailroom_x:aXexample":      false,
		"@mailroom_x:a.example.evil": false,
		"@x@mailroom:a.example":      false,
	} {
		require.Equal(t, reserved, covers(r.Namespaces.UserIDs, name), name)
	}
	alias := regexp.MustCompile(r.Namespaces.RoomAliases[0].Regex)
	require.True(t, alias.MatchString("#mailroom_x:a.example"))
	require.False(t, alias.MatchString("#other:a.example"))
	require.Equal(t, "http://127.0.0.1:29300", r.URL)
	require.False(t, *r.RateLimited)
}

func TestRegistrationsHaveTokensOfTheirOwn(t *testing.T) {
	one, other := NewRegistration(Config{Domain: "a.example"}, "http://x"), NewRegistration(Config{Domain: "a.example"}, "http://x")
	tokens := map[string]bool{one.AppToken: true, one.ServerToken: true, other.AppToken: true, other.ServerToken: true}
	require.Len(t, tokens, 4)
	for token := range tokens {
		require.GreaterOrEqual(t, len(token), 50)
	}
}

func TestRegistrationComesBackAsItWasWritten(t *testing.T) {
	file := writeRegistration(t, t.TempDir(), "http://127.0.0.1:29300")
	read, err := LoadRegistration(Config{Domain: testDomain, Registration: file})
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:29300", read.URL)
	require.True(t, read.EphemeralEvents)
}

func TestWrongRegistrationIsExplained(t *testing.T) {
	good, err := NewRegistration(Config{Domain: testDomain}, "http://127.0.0.1:29300").YAML()
	require.NoError(t, err)
	for name, edit := range map[string]func(string) string{
		"as_token or hs_token is missing": func(s string) string { return regexp.MustCompile(`as_token: .*`).ReplaceAllString(s, "") },
		"id is missing":                   func(s string) string { return strings.Replace(s, "id: mailroom", "", 1) },
		"sender_localpart": func(s string) string {
			return strings.Replace(s, "sender_localpart: mailroom", "sender_localpart: other", 1)
		},
		"namespaces.users": func(s string) string { return strings.ReplaceAll(s, `example\.org`, `elsewhere\.org`) },
		"cannot push":      func(s string) string { return strings.Replace(s, "http://127.0.0.1:29300", "''", 1) },
		"is not YAML":      func(string) string { return "\t:" },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "registration.yaml")
			require.NoError(t, os.WriteFile(file, []byte(edit(good)), 0o600))
			_, err := LoadRegistration(Config{Domain: testDomain, Registration: file})
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, "matrix.registration: ")
			require.ErrorContains(t, err, "mailroom registration")
		})
	}
}

func TestMissingRegistrationIsExplained(t *testing.T) {
	_, err := LoadRegistration(Config{Domain: testDomain, Registration: filepath.Join(t.TempDir(), "none.yaml")})
	require.ErrorContains(t, err, "mailroom registration")
}
