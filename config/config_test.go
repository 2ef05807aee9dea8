package config

import (
	"os"
	"path/filepath"
	"testing"

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

func TestRelativePathsCountFromTheFile(t *testing.T) {
	file := write(t, small+"database: sqlite:mailroom.db\n")
	c, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, "sqlite:"+filepath.Join(filepath.Dir(file), "mailroom.db"), c.Database)
	require.Equal(t, filepath.Dir(file), c.DataDir)
}
