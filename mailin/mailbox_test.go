package mailin

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAddressIsNoName(t *testing.T) {
	for name, want := range map[string]string{
		`Bob`:                                   "Bob",
		`"bob@evil.test"`:                       "",
		`"'BOB@evil.test'"`:                     "",
		`"alice@example.org"`:                   "",
		`"Alice (a@example.org)"`:               "",
		`=?utf-8?q?alice=40example.org?=`:       "",
		`=?utf-8?q?alice=EF=BC=A0example.org?=`: "alice(at)example.org",
	} {
		list, refused := mailboxes("From", name+" <bob@evil.test>")
		require.Nil(t, refused)
		require.Equal(t, want, list[0].Name, name)
	}
}

func TestAnAnswerPosesAsNobodyElse(t *testing.T) {
	b := start(t)
	b.send(t, b.signed(t, "From: \"alice@example.org\" <bob@example.org>\nTo: "+replyAddress+"\n\nI agree.\n"), "250", replyAddress)
	require.Empty(t, b.service.onlyReply(t).Post.By.Name)
}
