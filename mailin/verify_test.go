package mailin

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/mailin/dnstest"
)

func TestForgedMailIsRefusedWithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		dmarc string
		mail  func(*testing.T, *bench) string
		want  string
	}{
		"no signature, no policy": {"v=DMARC1; p=none", func(*testing.T, *bench) string { return crlf(invitation) },
			"550 5.7.26 Nobody can tell whether alice@example.org sent this mail"},
		"policy reject": {"v=DMARC1; p=reject", func(*testing.T, *bench) string { return crlf(invitation) },
			"550 5.7.26 The domain example.org forbids"},
		"policy quarantine": {"v=DMARC1; p=quarantine", func(*testing.T, *bench) string { return crlf(invitation) },
			"550 5.7.26 The domain example.org forbids"},
		"changed body": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return strings.Replace(b.signed(t, invitation), "Shall we", "Never", 1)
		}, "550 5.7.26 Nobody"},
		"changed From": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return strings.Replace(b.signed(t, invitation), "From: Alice <alice@", "From: Alice <boss@", 1)
		}, "550 5.7.26 Nobody"},
		"signed by another domain": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			other := dnstest.NewSigner(t, "mallory.test", "m")
			b.dns.Set(other.Name(), other.Record())
			return other.Sign(t, crlf(invitation))
		}, "550 5.7.26 Nobody"},
		"second From on top": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return "From: Boss <boss@example.org>\r\n" + b.signed(t, invitation)
		}, "550 5.7.1 This mail must have exactly one From"},
		"second From with a space before the colon": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return "From : Boss <boss@example.org>\r\n" + b.signed(t, invitation)
		}, "550 5.7.1 This mail must have exactly one From"},
		"signed From renamed with a vertical tab":   {"v=DMARC1; p=none", renamedFrom("\v"), "550 5.6.0 A line in the header"},
		"signed From renamed with a form feed":      {"v=DMARC1; p=none", renamedFrom("\f"), "550 5.6.0 A line in the header"},
		"signed From renamed with a no-break space": {"v=DMARC1; p=none", renamedFrom("\u00a0"), "550 5.6.0 A line in the header"},
		"signed From renamed with a next line":      {"v=DMARC1; p=none", renamedFrom("\u0085"), "550 5.6.0 A line in the header"},
		"two mailboxes in From": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return b.signed(t, strings.Replace(invitation, "From: Alice <alice@example.org>", "From: alice@example.org, boss@example.org", 1))
		}, "550 5.7.1 This mail must have exactly one From"},
		"a group in From": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return b.signed(t, strings.Replace(invitation, "From: Alice <alice@example.org>", "From: us: alice@example.org;", 1))
		}, "550 5.7.1 This mail must have exactly one From"},
		"Cc added to a signed mail that had none": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return "Cc: mallory@example.net\r\n" + b.signed(t, strings.Replace(invitation, "Cc: carol@example.org\n", "", 1), "From", "To", "Subject")
		}, "550 5.7.7 The DKIM signature of example.org does not cover the Cc line"},
		"second Cc on top of a signed one": {"v=DMARC1; p=none", func(t *testing.T, b *bench) string {
			return "Cc: mallory@example.net\r\n" + b.signed(t, invitation)
		}, "550 5.6.0 This mail has more than one Cc line"},
		"Authentication-Results from outside": {"v=DMARC1; p=none", func(*testing.T, *bench) string {
			return "Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\r\n" + crlf(invitation)
		}, "550 5.7.26 Nobody"},
		"our own address domain": {"v=DMARC1; p=none", func(*testing.T, *bench) string {
			return crlf(strings.Replace(invitation, "alice@example.org", "alice@in.example.org", 1))
		}, "550 5.7.26 The people who run this service take mail from in.example.org only if it proves its sender"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.dns.Set("_dmarc.example.org", "TXT "+c.dmarc)
			b.send(t, c.mail(t, b), c.want, "new@in.example.org")
			require.Empty(t, b.service.starts)
		})
	}
}

// renamedFrom puts the boss above the From that was signed, and hides that one:
// whoever trims its name still finds it below the signature.
func renamedFrom(hidden string) func(*testing.T, *bench) string {
	return func(t *testing.T, b *bench) string {
		return "From: Boss <boss@example.org>\r\n" + strings.Replace(b.signed(t, invitation), "\r\nFrom:", "\r\nFrom"+hidden+":", 1)
	}
}

func TestOwnDomainCannotBeForgedEvenInAnAnswer(t *testing.T) {
	b := start(t, func(c *Config) { c.OwnDomains = []string{"example.org"} })
	b.send(t, crlf(answerTo(replyToken, "I am Bob, believe me.\n")), "550 5.7.26 The people who run this service take mail from example.org only", "r-"+replyToken+"@in.example.org")
	require.Empty(t, b.service.replies)
}

func TestAlignedSPFProvesTheSender(t *testing.T) {
	b := start(t)
	b.dns.Set("example.org", "TXT v=spf1 ip4:127.0.0.1 -all")
	b.send(t, crlf(invitation), "250", "new@in.example.org")
	require.Contains(t, b.log.String(), "level=B basis=spf")
}

func TestSPFOfAnotherDomainProvesNothing(t *testing.T) {
	b := start(t)
	b.dns.Set("mallory.test", "TXT v=spf1 ip4:127.0.0.1 -all")
	k := b.smtp(t)
	k.say("MAIL FROM:<m@mallory.test>", "250")
	k.say("RCPT TO:<new@in.example.org>", "250")
	k.data(crlf(invitation), "550 5.7.26")
}

func TestAlignedPassWithoutARecordIsLevelC(t *testing.T) {
	b := start(t)
	b.dns.Set("_dmarc.example.org")
	b.send(t, b.signed(t, invitation), "250", "new@in.example.org")
	require.Contains(t, b.log.String(), "level=C basis=dkim")
}

func TestStrictAlignmentTakesOnlyTheSameDomain(t *testing.T) {
	for policy, want := range map[string]string{"v=DMARC1; p=none": "250", "v=DMARC1; p=none; adkim=s": "550"} {
		b := start(t)
		b.dns.Set("_dmarc.example.org", "TXT "+policy)
		b.dns.Set("mail.example.org", "A 192.0.2.1")
		mail := strings.Replace(invitation, "<alice@example.org>", "<alice@mail.example.org>", 1)
		b.send(t, b.signed(t, mail), want, "new@in.example.org")
	}
}

func TestDNSTroubleIsTemporary(t *testing.T) {
	for _, name := range []string{"_dmarc.example.org", "s1._domainkey.example.org", "example.org"} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.dns.Set(name, "SERVFAIL")
			mail := b.signed(t, invitation)
			if name == "example.org" {
				mail = crlf(invitation)
			}
			b.send(t, mail, "451 4.7.24", "new@in.example.org")
			require.Empty(t, b.service.starts)
		})
	}
}

func TestTroubleWithOneProofDoesNotSpoilTheOther(t *testing.T) {
	b := start(t)
	b.dns.Set("example.org", "SERVFAIL")
	b.send(t, b.signed(t, invitation), "250", "new@in.example.org")
}

// front sends over LMTP, as a front MTA does.
func (b *bench) front(t *testing.T, mail, want string, to ...string) {
	t.Helper()
	k := dial(t, b.LMTPAddr())
	k.say("LHLO front.example.org", "250")
	k.say("MAIL FROM:<alice@example.org>", "250")
	for _, rcpt := range to {
		k.say("RCPT TO:<"+rcpt+">", "250")
	}
	k.data(mail, want)
}

func TestTrustedFrontIsBelieved(t *testing.T) {
	trust := func(c *Config) { c.TrustedAuthservID = "MX.example.org" }
	for name, c := range map[string]struct{ fields, want string }{
		"dmarc=pass":                {"mx.example.org; dmarc=pass (p=none) header.from=example.org", "250"},
		"aligned dkim=pass":         {"mx.example.org 1; dkim=pass (2048-bit; \"x\") header.d=example.org header.s=s1", "250"},
		"aligned spf=pass":          {"mx.example.org; spf=pass smtp.mailfrom=alice@example.org; dmarc=none", "250"},
		"quoted name":               {"\"mx.example.org\"; dmarc = pass header.from = example.org", "250"},
		"another server":            {"mx.mallory.test; dmarc=pass header.from=example.org", "550 5.7.26"},
		"dmarc=fail":                {"mx.example.org; dmarc=fail header.from=example.org; dkim=pass header.d=example.org", "550 5.7.26"},
		"pass for another domain":   {"mx.example.org; dmarc=pass header.from=mallory.test", "550 5.7.26"},
		"dkim=pass, not aligned":    {"mx.example.org; dkim=pass header.d=mallory.test", "550 5.7.26"},
		"pass within a comment":     {"mx.example.org; dmarc=fail (dmarc=pass; dmarc=pass)", "550 5.7.26"},
		"temperror":                 {"mx.example.org; dmarc=temperror header.from=example.org", "451 4.7.24"},
		"another version":           {"mx.example.org 2; dmarc=pass header.from=example.org", "550 5.7.26"},
		"contradicted by a second":  {"mx.example.org; dmarc=fail\r\nAuthentication-Results: mx.example.org; dmarc=pass", "550 5.7.26"},
		"nothing about the sender":  {"mx.example.org; none", "550 5.7.26"},
		"pass in a property's text": {"mx.example.org; dmarc=fail reason=\"; dmarc=pass\"", "550 5.7.26"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, trust)
			b.front(t, "Authentication-Results: "+c.fields+"\r\n"+crlf(invitation), c.want, "new@in.example.org")
			if c.want == "250" {
				require.Contains(t, b.log.String(), "level=A basis=front")
			}
		})
	}
}

// A front removes fields that pose as its own, by their ASCII names.
func TestNamesThatOnlyUnicodeFoldsAreNotTheFronts(t *testing.T) {
	for name, c := range map[string]struct{ trusted, field, want string }{
		"long s in the name":          {"mx.example.org", "Authentication-Re\u017fults: mx.example.org", "550 5.6.0"},
		"Kelvin sign in the server":   {"mk.example.org", "Authentication-Results: m\u212a.example.org", "550 5.7.26"},
		"dotted I in the server":      {"mi.example.org", "Authentication-Results: m\u0130.example.org", "550 5.7.26"},
		"long s in the server":        {"ms.example.org", "Authentication-Results: m\u017f.example.org", "550 5.7.26"},
		"the server in other letters": {"mk.example.org", "AUTHENTICATION-RESULTS: MK.example.org", "250"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(cfg *Config) { cfg.TrustedAuthservID = c.trusted })
			b.front(t, c.field+"; dmarc=pass header.from=example.org\r\n"+crlf(invitation), c.want, "new@in.example.org")
		})
	}
	h := header{{"DKIM-Signature\u212a", ""}, {"D\u212aIM-Signature", ""}, {"Re\u017fults", ""}}
	require.False(t, h.has("DKIM-Signature") || h.has("Results"))
}

func TestFrontOnThisMachineMaySpeakSMTP(t *testing.T) {
	b := start(t, func(c *Config) { c.TrustedAuthservID = "mx.example.org" })
	b.send(t, "Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\r\n"+crlf(invitation), "250", "new@in.example.org")
	require.Contains(t, b.log.String(), "level=A basis=front")
}

func TestResultsFromFarAwayAreNotBelieved(t *testing.T) {
	b := start(t, func(c *Config) { c.TrustedAuthservID = "mx.example.org" })
	m, refused := prescan([]byte("Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\r\n"+crlf(invitation)), b.config.Limits)
	require.Nil(t, refused)
	v, refused := b.verify(t.Context(), peer{IP: net.IPv4(192, 0, 2, 7), Helo: "x"}, envelope{From: "alice@example.org"}, m)
	require.Nil(t, refused)
	require.False(t, v.proved())
}

func TestNobodyIsBelievedWithoutAName(t *testing.T) {
	b := start(t)
	b.front(t, "Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\r\n"+crlf(invitation), "550 5.7.26", "new@in.example.org")
}

func TestCcAddedBeforeATrustedFrontIsFound(t *testing.T) {
	b := start(t, func(c *Config) { c.TrustedAuthservID = "mx.example.org" })
	mail := "Authentication-Results: mx.example.org; dmarc=pass header.from=example.org\r\nCc: mallory@example.net\r\n" +
		b.signed(t, strings.Replace(invitation, "Cc: carol@example.org\n", "", 1), "From", "To")
	b.front(t, mail, "550 5.7.7", "new@in.example.org")
	b.front(t, "DKIM-Signature: v=1; d=other.test; h=From:To:Cc\r\n"+mail, "550 5.7.7", "new@in.example.org")
	b.front(t, "DKIM-Signature: v=1; d=example.org; h=From:To:Cc:Message-ID\r\n"+mail, "550 5.7.7", "new@in.example.org")
}

func TestFrontWithoutResultsIsCheckedByDKIMAndNeverBySPF(t *testing.T) {
	b := start(t, func(c *Config) { c.TrustedAuthservID = "mx.example.org" })
	b.dns.Set("example.org", "TXT v=spf1 +all")
	b.front(t, b.signed(t, invitation), "250", "new@in.example.org")
	b.front(t, crlf(invitation), "550 5.7.26", "new@in.example.org")
	b.send(t, crlf(invitation), "550 5.7.26", "new@in.example.org")
}

func TestNullSenderIsCheckedByTheNameOfThePeer(t *testing.T) {
	b := start(t)
	b.dns.Set("mail.example.org", "TXT v=spf1 ip4:127.0.0.1 -all")
	p := peer{IP: net.IPv4(127, 0, 0, 1), Helo: "mail.example.org", Local: true}
	m, refused := prescan([]byte(crlf(invitation)), b.config.Limits)
	require.Nil(t, refused)
	v, refused := b.verify(t.Context(), p, envelope{}, m)
	require.Nil(t, refused)
	require.Equal(t, "spf", v.Basis)
}

func TestManySignaturesAreNotAllChecked(t *testing.T) {
	b := start(t)
	mail := crlf(invitation)
	for i := range maxSignatures + 3 {
		mail = fmt.Sprintf("DKIM-Signature: v=1; a=rsa-sha256; d=n%d.test; s=x; h=from; bh=eA==; b=eA==\r\n", i) + mail
	}
	b.send(t, mail, "550 5.7.26", "new@in.example.org")
}
