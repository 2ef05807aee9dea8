package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "mailroom.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

const small = "public_url: http://127.0.0.1:8080\ninitiators: {allow: [\"*@example.org\"]}\n"

func TestTheSampleIsValid(t *testing.T) {
	c, err := Load(write(t, Sample))
	require.NoError(t, err)
	require.True(t, c.HasMail() && c.HasMatrix() && c.HasXMPP())
}

func TestAnEmptyBlockLeavesAGatewayOut(t *testing.T) {
	c, err := Load(write(t, small+"mail: {}\nmatrix: {}\nxmpp: {}\n"))
	require.NoError(t, err)
	require.False(t, c.HasMail() || c.HasMatrix() || c.HasXMPP())
}

func TestATypoIsAnErrorThatNamesItsLine(t *testing.T) {
	_, err := Load(write(t, small+"web:\n  lisen: 127.0.0.1:1\n"))
	require.ErrorContains(t, err, `line 4: there is no key "lisen" here`)
}

func TestErrorsNameTheKeyAndTheMend(t *testing.T) {
	_, err := Load(write(t, "public_url: chat\nmail: {domain: in.example.org}\nxmpp: {component: rooms.example.org}\nmatrix: {homeserver: http://x, listen: nowhere}\n"))
	for _, part := range []string{"public_url is \"chat\": write a whole web address", "mail.from", "xmpp.secret is empty", "matrix.domain is empty", "matrix.listen is \"nowhere\"", "initiators.allow is empty"} {
		require.ErrorContains(t, err, part)
	}
}

func TestTheEnvironmentAndSecretFilesCount(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hush\n"), 0o600))
	t.Setenv("MAILROOM_WEB_LISTEN", "127.0.0.1:9999")
	t.Setenv("MAILROOM_XMPP_SECRET_FILE", secret)
	t.Setenv("MAILROOM_MAIL_MISSED_AFTER", "7s")
	c, err := Load(write(t, small+"xmpp: {component: rooms.example.org}\n"))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9999", c.Web.Listen)
	require.Equal(t, "hush", c.XMPP.Secret)
	require.Equal(t, "7s", c.Mail.MissedAfter.String())
}

func TestTheSampleShowsTheDefaults(t *testing.T) {
	c, err := Load(write(t, Sample))
	require.NoError(t, err)
	require.Equal(t, Default().Join, c.Join)
	require.Equal(t, Default().Transcripts, c.Transcripts)
	require.Equal(t, Default().Limits, c.Limits)
}

func TestPeriodsMayBeInDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "90d": 90 * 24 * time.Hour, "36h": 36 * time.Hour, "0d": 0} {
		c, err := Load(write(t, small+"transcripts: {keep_for: "+text+"}\n"))
		require.NoError(t, err)
		require.Equal(t, want, time.Duration(c.Transcripts.KeepFor), text)
	}
	t.Setenv("MAILROOM_TRANSCRIPTS_KEEP_FOR", "7d")
	c, err := Load(write(t, small))
	require.NoError(t, err)
	require.Equal(t, 7*24*time.Hour, time.Duration(c.Transcripts.KeepFor))
}

func TestPeriodsThatMakeNoSenseAreRefused(t *testing.T) {
	for text, complaint := range map[string]string{
		"ever": `"ever" is no time`, "d": `"d" is no time`, "-1d": `"-1d" is no time`, "1.5d": `"1.5d" is no time`,
		"99999999999999d": "is no time", "-1h": "transcripts.keep_for is -1h", "1m": "an hour at the least", "40000d": "a hundred years",
	} {
		_, err := Load(write(t, small+"transcripts: {keep_for: "+text+"}\n"))
		require.ErrorContains(t, err, complaint, text)
	}
}

func TestLimitsCanBeTakenAway(t *testing.T) {
	t.Setenv("MAILROOM_LIMITS_MEMBER_MESSAGES", "0")
	c, err := Load(write(t, small+"limits: {pair_invitations: 0}\n"))
	require.NoError(t, err)
	require.Zero(t, c.Limits.PairInvitations)
	require.Zero(t, c.Limits.MemberMessages)
	require.Equal(t, 100, c.Limits.InitiatorSessions, "the others stay")
	_, err = Load(write(t, small+"limits: {network_sessions: -1}\n"))
	require.ErrorContains(t, err, "limits.network_sessions is -1")
}

func TestACodeMayBeAskedOfEveryBrowser(t *testing.T) {
	_, err := Load(write(t, small+"join: {code: always}\n"))
	require.NoError(t, err)
	_, err = Load(write(t, small+"join: {code: never}\n"))
	require.ErrorContains(t, err, "join.code is never")
}

func TestSeveralNodesAreSetAsAWhole(t *testing.T) {
	const secret, shared = "node: {url: \"http://10.0.0.5:8080\", secret: 0123456789abcdef0123456789abcdef}\n", "database: postgres://db/mailroom\n"
	_, err := Load(write(t, small+shared+secret))
	require.NoError(t, err)
	for text, complaint := range map[string]string{
		secret: "a SQLite file has one node",
		shared + "node: {url: \"http://10.0.0.5:8080\"}\n":                       "node.secret is missing",
		shared + "node: {url: here, secret: 0123456789abcdef0123456789abcdef}\n": `node.url is "here"`,
		shared + "node: {secret: short}\n":                                       "node.secret is shorter",
	} {
		_, err := Load(write(t, small+text))
		require.ErrorContains(t, err, complaint)
	}
}

func TestRelativePathsCountFromTheFile(t *testing.T) {
	file := write(t, small+"database: sqlite:mailroom.db\n")
	c, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, "sqlite:"+filepath.Join(filepath.Dir(file), "mailroom.db"), c.Database)
	require.Equal(t, filepath.Dir(file), c.DataDir)
}
