package mailin

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// What is let through must be parsed without a panic, and quickly.
func FuzzPrescan(f *testing.F) {
	for _, seed := range []string{invitation, dsn, head + nested(3), head + multipart("b", "--b\r\n\r\nx\r\n--b--\r\n"), "\r\n", "a\n", ": \r\n \r\n",
		"From: a@b.c\nFrom\v: d@e.f\n\n", "From: a@b.c\nFrom\u00a0: d@e.f\n\n", "Authentication-Re\u017fults: a; none\n\n"} {
		f.Add([]byte(crlf(seed)))
	}
	s := testServer(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, refused := prescan(raw, s.config.Limits)
		if refused != nil {
			if m == nil && refused.Code < 500 {
				t.Fatalf("a bound is never temporary: %v", refused)
			}
			return
		}
		if len(m.Header) == 0 || len(m.Header) > s.config.Limits.HeaderFields || !strings.HasSuffix(string(m.Raw), string(m.Body)) {
			t.Fatalf("%d fields", len(m.Header))
		}
		for name := range readFields {
			if ours, theirs := m.Header.count(name), countLoosely(m.Raw, name); ours != theirs {
				t.Fatalf("we see %d fields %s, a verifier %d", ours, name, theirs)
			}
		}
		began := time.Now()
		if _, refused := s.parse(context.Background(), m); refused != nil && refused.Err != nil && strings.Contains(refused.Err.Error(), "panic") {
			t.Fatal(refused.Err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Fatalf("parsing took %v", took)
		}
		classify(envelope{}, m.Header)
		if from, refused := author(m.Header); refused == nil && from.Address.IsZero() {
			t.Fatal("an author without an address")
		}
	})
}

// countLoosely counts the fields of that name for a reader that trims all white
// space and folds Unicode case, as verifiers of signatures do.
func countLoosely(raw []byte, name string) (n int) {
	block, _, _ := strings.Cut("\r\n"+string(raw), "\r\n\r\n")
	for _, line := range strings.Split(block, "\r\n") {
		found, _, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") && strings.EqualFold(strings.TrimSpace(found), name) {
			n++
		}
	}
	return n
}

// Every word that was written is kept or elided, and nothing is left of nothing only.
func FuzzNewText(f *testing.F) {
	for _, seed := range []string{"a\n> b\n", "On 1 May 2026, a@b.c wrote:\n> x", "-- \nx", "From: a\nSent: b\nTo: c\n", "-----Original Message-----\n", "\u00a0", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		kept, elided := NewText(text)
		if strings.TrimSpace(text) != "" && kept == "" {
			t.Fatal("everything was cut")
		}
		for _, word := range strings.Fields(strings.ReplaceAll(text, "\u00a0", " ")) {
			if !strings.Contains(kept, word) && !strings.Contains(elided, word) && utf8.ValidString(word) {
				t.Fatalf("%q is lost", word)
			}
		}
		WithoutSignature(text)
	})
}

func FuzzNewHTML(f *testing.F) {
	for _, seed := range []string{`<div class="gmail_quote">x</div>y`, `a<div id=divRplyFwdMsg>b</div>c`, `<blockquote type=cite>`, `<table><tr><div id=appendonsend>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) { NewHTML(source) })
}

func FuzzAuthenticationResults(f *testing.F) {
	for _, seed := range []string{"mx.example.org; dmarc=pass (p=none) header.from=example.org", `"a;b" 1; spf = pass reason="x;\" y" smtp.mailfrom=a@b`, "(;", `"`, "a;=;b="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, ok := parseAuthResults(value)
		if ok && r.ServerID == "" && !strings.Contains(value, `""`) {
			t.Fatal("a result of nobody")
		}
		for _, result := range r.Results {
			if result.Method == "" || result.Value == "" {
				t.Fatalf("%+v", result)
			}
		}
	})
}

func FuzzReport(f *testing.F) {
	for _, seed := range []string{"Final-Recipient: rfc822;a@b\nAction: failed\nStatus: 5.1.1\n", "Status: x\n\n\nAction: \n", "550 5.1.1 no\n", "Diagnostic-Code: smtp; 4.2.2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []string{"message/delivery-status", "text/plain"} {
			r, ok := parseReport([]part{{Type: kind, Text: text}}, envelope{}, header{{"X-Failed-Recipients", "a@b"}})
			if ok && (r.Action == "" || len(r.reason()) > 2000) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"a@example.org", "A <a@example.org>, g: b@c.d;", `"x\"" <"a b"@c>`, "=?utf-8?q?=00?= <a@b.c>", "a@[1.2.3.4]", "ä@ö.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		list, refused := mailboxes("To", value)
		if refused != nil {
			return
		}
		for _, m := range list {
			if m.Address.Domain() == "" || m.Address.Localpart() == "" || strings.ContainsAny(m.Name+m.Address.ID, "\r\n\x00") {
				t.Fatalf("%+v", m)
			}
		}
	})
}
