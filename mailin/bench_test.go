package mailin

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/mailin/dnstest"
)

// BenchmarkAnswer is the work on a signed answer of 4 KB, with its questions to
// the DNS, from the final dot to bridge.
func BenchmarkAnswer(b *testing.B) {
	dns, err := dnstest.Listen(dnstest.Zones{"_dmarc.example.org": {"TXT v=DMARC1; p=none"}})
	require.NoError(b, err)
	defer dns.Close()
	signer := dnstest.NewSigner(b, "example.org", "s1")
	dns.Set(signer.Name(), signer.Record())
	s, err := New(Config{Domain: "in.example.org", SMTPListen: "127.0.0.1:0", Resolver: dns.Addr}, newService(), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	raw := []byte(signer.Sign(b, crlf(answerTo(replyToken, strings.Repeat("All work and no play makes Jack a dull boy.\n", 90)))))
	env := envelope{From: "bob@example.org", Recipients: []recipient{{Path: replyAddress, For: toReply, Token: replyToken}}}
	b.RunParallel(func(loop *testing.PB) {
		for loop.Next() {
			if _, refused := s.deliver(b.Context(), peer{Name: "bench", Local: true}, env, raw, true); refused != nil {
				b.Error(refused)
			}
		}
	})
}
