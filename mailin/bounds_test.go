package mailin

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// head begins every mail of these tests.
const head = "From: alice@example.org\r\nTo: new@in.example.org\r\n"

func multipart(boundary, body string) string {
	return "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n" + body
}

// nested is a MIME tree of that depth.
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(multipart(fmt.Sprintf("b%d", i), fmt.Sprintf("--b%d\r\n", i)))
	}
	b.WriteString("\r\ntext\r\n")
	return b.String()
}

func TestBoundsOfAMail(t *testing.T) {
	l := Limits{MessageBytes: 1 << 20}.withDefaults()
	for name, c := range map[string]struct {
		raw  string
		want string // code and reason, "" if it is taken
	}{
		"an ordinary mail":          {head + "\r\ntext\r\n", ""},
		"no body":                   {head, ""},
		"no header":                 {"\r\ntext\r\n", "550 no header"},
		"begins with a fold":        {" folded\r\n\r\ntext\r\n", "550 no header"},
		"too big":                   {head + "\r\n" + strings.Repeat("x\r\n", 1<<20/3+1), "552 too big"},
		"a long line is taken":      {head + "\r\n" + strings.Repeat("x", l.LineBytes-2) + "\r\n", ""},
		"a longer one is not":       {head + "\r\n" + strings.Repeat("x", l.LineBytes-1) + "\r\n", "554 line too long"},
		"bare LF":                   {head + "\r\na\nb\r\n", "550 bare line end"},
		"bare CR":                   {head + "\r\na\rb\r\n", "550 bare line end"},
		"CR CR LF":                  {head + "\r\na\r\r\n", "550 bare line end"},
		"NUL in the header":         {head + "Subject: a\x00b\r\n\r\n", "550 NUL in header"},
		"NUL in the body":           {head + "\r\na\x00b\r\n", ""},
		"big header":                {head + strings.Repeat("X-A: "+strings.Repeat("y", 1000)+"\r\n", 110) + "\r\n", "552 header too big"},
		"500 fields":                {head + strings.Repeat("X: y\r\n", 498) + "\r\n", ""},
		"501 fields":                {head + strings.Repeat("X: y\r\n", 499) + "\r\n", "552 too many header fields"},
		"long header line":          {head + "X: " + strings.Repeat("y", 8<<10) + "\r\n\r\n", "554 header line too long"},
		"long field that is read":   {head + "Cc: a@example.org" + strings.Repeat(",\r\n "+strings.Repeat("y", 50)+"@example.org", 150) + "\r\n\r\n", "554 header line too long"},
		"long field that is not":    {head + "X-Verdict: a" + strings.Repeat("\r\n "+strings.Repeat("y", 70), 150) + "\r\n\r\n", ""},
		"50 hops":                   {strings.Repeat("Received: x\r\n", 50) + head + "\r\n", ""},
		"51 hops":                   {strings.Repeat("Received: x\r\n", 51) + head + "\r\n", "554 loop"},
		"20 deep":                   {head + nested(20), ""},
		"21 deep":                   {head + nested(21), "554 nested too deep"},
		"299 parts":                 {head + multipart("b", strings.Repeat("--b\r\n\r\nx\r\n", 299)+"--b--\r\n"), ""},
		"301 parts":                 {head + multipart("b", strings.Repeat("--b\r\n\r\nx\r\n", 300)+"--b--\r\n"), "554 too many parts"},
		"lines like boundaries":     {head + "\r\n" + strings.Repeat("--b\r\n", 1000), ""},
		"after the end":             {head + multipart("b", "--b\r\n\r\nx\r\n--b--\r\n"+strings.Repeat("--b\r\n", 1000)), ""},
		"long boundary":             {head + multipart(strings.Repeat("b", 300), ""), "554 boundary too long"},
		"big header of a part":      {head + multipart("b", "--b\r\n"+strings.Repeat("X: y\r\n", 501)+"\r\n"), "552 too many header fields"},
		"boundary of the outermost": {head + multipart("b", "--b\r\n"+multipart("b", strings.Repeat("--b\r\n\r\n", 400))), "554 too many parts"},
	} {
		t.Run(name, func(t *testing.T) {
			m, refused := prescan([]byte(c.raw), l)
			if c.want == "" {
				require.Nil(t, refused)
				require.True(t, strings.HasSuffix(string(m.Raw), string(m.Body)))
				return
			}
			require.NotNil(t, refused)
			require.Equal(t, c.want, fmt.Sprint(refused.Code, " ", refused.Reason))
			require.NotEmpty(t, refused.Sentence)
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	l := Limits{}.withDefaults()
	require.EqualValues(t, 25<<20, l.MessageBytes)
	require.Equal(t, []int{100 << 10, 500, 8 << 10, 50, 20, 300}, []int{l.HeaderBytes, l.HeaderFields, l.HeaderLineBytes, l.Hops, l.Depth, l.Parts})
	require.Equal(t, 2*time.Second, l.ParseTime)
	require.Equal(t, 2*time.Minute, l.StallTime)
	require.EqualValues(t, []int64{256 << 20, 32 << 20}, []int64{l.BufferedBytes, l.PlaceBytes})
	require.Equal(t, 7, Limits{Depth: 7}.withDefaults().Depth)
}

func TestBoundsAreToldOverTheWire(t *testing.T) {
	b := start(t, func(c *Config) { c.Limits.MessageBytes = 100 << 10 })
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org> SIZE=200000", "552 5.3.4")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(crlf(invitation)+strings.Repeat("0123456789012345678901234567890123456789\r\n", 3000), "552 5.3.4 This mail is larger")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(crlf(invitation)+strings.Repeat("x", 70<<10)+"\r\n", "554 5.6.0 A line of this mail")
	require.Empty(t, b.service.starts)
}

func TestMailsTogetherTakeBoundedMemory(t *testing.T) {
	b := start(t, func(c *Config) { c.Limits.BufferedBytes = 128 << 10 })
	b.send(t, head+"\r\n"+strings.Repeat("0123456789\r\n", 20000), "452 4.3.1", "new@in.example.org")
	b.send(t, b.signed(t, invitation), "250", "new@in.example.org")
}

func TestOnePlaceLeavesRoomForOthers(t *testing.T) {
	b := start(t, func(c *Config) { c.Limits.PlaceBytes = 2 * chunk })
	k := b.fromElsewhere(t, b.doors[0])
	k.say("EHLO mail.example.org", "250")
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(head+"\r\n"+strings.Repeat("0123456789\r\n", 20000), "452 4.3.1")
	require.Empty(t, b.buffers.byPlace)
	require.Zero(t, b.buffers.all)

	require.True(t, b.buffers.reserve("192.0.2.7", 2*chunk))
	require.False(t, b.buffers.reserve("192.0.2.7", 1))
	require.True(t, b.buffers.reserve("192.0.2.8", 2*chunk))
	require.True(t, b.buffers.reserve("", 100*chunk), "a front on this machine")
}

func TestSenderThatStallsIsCutOff(t *testing.T) {
	for name, part := range map[string]string{"DATA": "DATA\r\nFrom: alice", "BDAT": "BDAT 5\r\nFrom:BDAT 1000\r\nalice"} {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(c *Config) { c.Limits.StallTime = 20 * time.Millisecond })
			k := b.smtp(t)
			k.say("MAIL FROM:<alice@example.org>", "250")
			k.say("RCPT TO:<new@in.example.org>", "250")
			k.raw(part)
			k.hear(map[string]string{"DATA": "354", "BDAT": "250"}[name])
			k.hear("")
			k.closed()
			require.Eventually(t, func() bool { return b.buffers.reserve("", b.config.Limits.BufferedBytes) }, 5*time.Second, time.Millisecond)
			require.Empty(t, b.service.starts)
		})
	}
}

func TestCutOffMailIsNoMail(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.say("DATA", "354")
	k.raw(b.signed(t, invitation))
	require.NoError(t, k.conn.Close())
	require.Eventually(t, func() bool { return strings.Contains(b.log.String(), "transfer broken off") }, 5*time.Second, 5*time.Millisecond)
	require.Empty(t, b.service.starts)
}

func TestSmuggledCommandsStayInTheMail(t *testing.T) {
	for name, end := range map[string]string{
		"LF.LF": "\n.\n", "LF.CRLF": "\n.\r\n", "CRLF.LF": "\r\n.\n", "CR.CR": "\r.\r", "CR.CRLF": "\r.\r\n",
		"CRLF.CR": "\r\n.\r", "CRLF.NUL": "\r\n.\x00\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			k := b.smtp(t)
			k.say("MAIL FROM:<alice@example.org>", "250")
			k.say("RCPT TO:<r-"+replyToken+"@in.example.org>", "250")
			k.say("DATA", "354")
			k.raw(b.signed(t, answerTo(replyToken, "one\n")) + end + "MAIL FROM:<boss@example.org>\r\nRCPT TO:<r-" + otherReplyToken + "@in.example.org>\r\nDATA\r\n\r\ntwo\r\n.\r\n")
			answer := k.hear("")
			k.say("QUIT", "221")
			require.Empty(t, b.service.tokensPosted(otherReplyToken))
			if name != "CRLF.NUL" && name != "CRLF.CR" { // of these nothing but text is left
				require.Contains(t, answer, "550 5.6.0 Lines of a mail end in CR LF")
			}
		})
	}
}

func (s *service) tokensPosted(token string) (n []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.replies {
		if r.Token == token {
			n = append(n, r.Post.Body.Text)
		}
	}
	return n
}

func TestHostileTreesTakeLittleTime(t *testing.T) {
	b := start(t)
	for name, raw := range map[string]string{
		"nested":         head + nested(20000),
		"parts":          head + multipart("b", strings.Repeat("--b\r\n\r\n\r\n", 200000)),
		"hidden nesting": head + multipart("b", "x--b\r\n"+strings.Repeat("--b \t x\r\n"+multipart("b", ""), 5000)),
	} {
		began := time.Now()
		m, refused := prescan([]byte(raw), b.config.Limits)
		if refused == nil {
			_, refused = b.parse(t.Context(), m)
		}
		require.Less(t, time.Since(began), 3*time.Second, name)
	}
}

func TestUnknownAddressesAndTokensAreAnsweredAlike(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<>", "250")
	guess := k.say("RCPT TO:<r-"+strings.Repeat("a", 28)+"@in.example.org>", "550 5.1.1")
	other := k.say("RCPT TO:<nobody@in.example.org>", "550 5.1.1")
	require.Equal(t, guess, other)
	require.Equal(t, guess, k.say("RCPT TO:<b-"+replyToken+"@in.example.org>", "550"), "a token has one right")
	k.say("RCPT TO:<postmaster@in.example.org>", "550 5.2.1")
	k.say("RCPT TO:<invite@in.example.org>", "550 5.2.1 Nobody reads what is sent to this address.")
	k.say("RCPT TO:<new@elsewhere.example>", "550 5.7.1")
	k.say("RCPT TO:<s-x@in.example.org>", "421 4.7.0 Too many unknown")
	k.closed()
	require.NotContains(t, b.log.String(), strings.Repeat("a", 28))
}

// A token that is unknown, one of a grant that was revoked and one of another
// right cost the same one look-up, so that the time tells nothing either.
func TestEveryTokenIsLookedUpOnce(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<>", "250")
	for i, rcpt := range []string{"r-" + replyToken, "r-" + strings.Repeat("a", 28), "r-" + bounceToken, "u-" + replyToken} {
		want := "550 5.1.1"
		if i == 0 {
			want = "250"
		}
		k.say("RCPT TO:<"+rcpt+"@in.example.org>", want)
		require.EqualValues(t, i+1, b.service.lookups.Load(), rcpt)
	}
}

func TestAddressesHaveNoCase(t *testing.T) {
	b := start(t)
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<R-"+strings.ToUpper(replyToken)+"@IN.EXAMPLE.ORG>", "250")
	k.data(b.signed(t, answerTo(replyToken, "Hi\n")), "250")
	require.Equal(t, replyToken, b.service.onlyReply(t).Token)
}

func TestRecipientsAreBounded(t *testing.T) {
	b := start(t, func(c *Config) { c.Limits.Recipients = 2 })
	k := b.smtp(t)
	k.say("MAIL FROM:<alice@example.org>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.say("RCPT TO:<r-"+replyToken+"@in.example.org>", "250")
	k.say("RCPT TO:<r-"+otherReplyToken+"@in.example.org>", "452 4.5.3")
}

func TestConnectionsAreBounded(t *testing.T) {
	b := start(t, func(c *Config) { c.Limits.Connections = 2 })
	first, second := b.smtp(t), b.smtp(t)
	require.NoError(t, second.conn.Close())
	require.Eventually(t, func() bool {
		b.doors[0].guard.mu.Lock()
		defer b.doors[0].guard.mu.Unlock()
		return b.doors[0].guard.total == 1
	}, 5*time.Second, time.Millisecond)
	b.smtp(t)
	c := dialRaw(t, b.Addr())
	c.hear("421 4.7.0 Too many connections")
	first.say("NOOP", "250")
}

func TestStoppingCutsIdlePeersAndAnswersTheOthers(t *testing.T) {
	b := start(t)
	idle, busy := b.smtp(t), b.smtp(t)
	started, finish := make(chan struct{}), make(chan struct{})
	b.service.allow = func(bridge.Identity) error { close(started); <-finish; return nil }
	busy.say("MAIL FROM:<alice@example.org>", "250")
	busy.say("RCPT TO:<new@in.example.org>", "250")
	busy.say("DATA", "354")
	busy.raw(b.signed(t, invitation) + ".\r\n")
	<-started
	b.stop()
	idle.closed()
	close(finish)
	busy.hear("250")
	busy.say("QUIT", "221")
	b.service.onlyStart(t)
}

func TestPlacesThatConnectionsAreCountedBy(t *testing.T) {
	for ip, want := range map[string]string{"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "127.0.0.1": "", "::1": ""} {
		require.Equal(t, want, placeOf(&net.TCPAddr{IP: net.ParseIP(ip)}))
	}
	require.Empty(t, placeOf(&net.UnixAddr{}))
}

func TestLMTPSocketIsForItsGroup(t *testing.T) {
	b := start(t)
	info, err := os.Stat(b.LMTPAddr().String())
	require.NoError(t, err)
	require.EqualValues(t, 0o660, info.Mode().Perm())
}

func TestStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	b := start(t)
	again, err := New(b.config, b.service, b.Server.log)
	require.NoError(t, err)
	require.ErrorContains(t, again.Listen(), "another process answers")
}
