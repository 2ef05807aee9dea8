package content

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestOneLine(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		max      int
		want     string
	}{
		{"spaces", "  a \t\r\n b\u00a0\u3000c  ", 80, "a b c"},
		{"injected header", "x\r\nBcc: y@z.test", 80, "x Bcc: y@z.test"},
		{"controls", "a\x00b\x1bc\u0085d", 80, "abc d"},
		{"bidi", "a\u202eb\u2067c\u200ed\u061ce", 80, "abcde"},
		{"invisible", "a\u200bb\ufeffc\u00add\u2060e\u034ff", 80, "abcdef"},
		{"Hangul filler", "\u3164", 80, ""},
		{"Persian joiner stays", "علی\u200cرضا", 80, "علی\u200cرضا"},
		{"Latin joiner goes", "a\u200cd\u200dm", 80, "adm"},
		{"family stays", "👩\u200d👩\u200d👧", 80, "👩\u200d👩\u200d👧"},
		{"flag stays", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 80, "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
		{"joiner at the end", "👩\u200d", 80, "👩"},
		{"cut", "abcdef", 4, "abc…"},
		{"cut at a space", "abc def", 4, "abc…"},
		{"fits", "abcd", 4, "abcd"},
		{"cut wide", "äöü€", 3, "äö…"},
		{"no room", "abc", 0, ""},
		{"room for one", "abc", 1, "…"},
		{"not UTF-8", "a\xffb", 80, "a\ufffdb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := OneLine(tt.in, tt.max)
			require.Equal(t, tt.want, got)
			require.Equal(t, got, OneLine(got, tt.max), "again")
		})
	}
}

func TestSubject(t *testing.T) {
	for in, want := range map[string]string{
		"Contract":                          "Contract",
		"Re: Contract":                      "Contract",
		"RE: AW: Fwd: WG: SV: Contract":     "Contract",
		"Re[2]: RE (3) : Re^4: Re*5: x":     "x",
		"Antw: Réf : TR: RV: Rif: Odp: x":   "x",
		"回复：答复: 転送: 답장: Re：x":               "x",
		"رد: إعادة توجيه: x":                "x",
		"ΑΠ: ΣΧΕΤ: Ответ: x":                "x",
		"YNT: İLT: x":                       "x",
		"Regarding: x":                      "Regarding: x",
		"R2: the droid":                     "R2: the droid",
		"Ref: 4711":                         "Ref: 4711",
		"Re":                                "Re",
		"Re: ":                              "",
		"[team] Re: x":                      "[team] Re: x",
		"Re: a\r\nBcc: b":                   "a Bcc: b",
		"10:30":                             "10:30",
		"https://a.test/":                   "https://a.test/",
		strings.Repeat("Re: ", 20) + "deep": "deep",
	} {
		require.Equal(t, want, Subject(in), "%q", in)
	}
	long := Subject("Re: " + strings.Repeat("ä", 300))
	require.Equal(t, 255, utf8.RuneCountInString(long))
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"  Alice\tSmith ":                        "Alice Smith",
		"Alice\u202e moc.live":                   "Alice moc.live",
		"ceo＠bank.test":                          "ceo(at)bank.test",
		"ceo﹫bank.test":                          "ceo(at)bank.test",
		"alice@example.org":                      "alice@example.org",
		"e\u0301":                                "é",
		"a" + strings.Repeat("\u0336\u0337", 50): "a" + strings.Repeat("\u0336\u0337", maxMarks/2),
		"\u200b\u3164\u2800":                     "",
		"Nguyễn Thị Ánh":                         "Nguyễn Thị Ánh",
	} {
		require.Equal(t, want, Name(in), "%q", in)
	}
	require.Equal(t, 80, utf8.RuneCountInString(Name(strings.Repeat("＠", 100))))
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{"Re: x", "a\u202eb", "👩\u200d👧", "＠\u0301\u0301", "\xff\x00", "ab\u200d c", "回复：x", "a " + strings.Repeat("b", 90)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for name, line := range map[string]string{"OneLine": OneLine(in, 80), "Subject": Subject(in), "Name": Name(in)} {
			require.LessOrEqual(t, utf8.RuneCountInString(line), 255, name)
			require.Equal(t, strings.TrimSpace(line), line, name)
			require.False(t, strings.ContainsFunc(line, func(r rune) bool {
				return unicode.IsControl(r) || isBidiControl(r) || r == '\u200e' || r == '\u200f' || r == '\u2028'
			}), name)
			require.Equal(t, XMLSafe(line), line, name)
		}
		require.Equal(t, Name(in), Name(Name(in)))
	})
}
